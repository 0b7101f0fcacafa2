// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// setting is where scripts run.
type setting struct {
	fim      string
	backend  string
	fs       filesystem
	patience time.Duration
	table    []Cannot
	crowd    *crowd // nil when each script has a fim of its own
}

// run is one script while it runs.
type run struct {
	setting
	dir, root string // root is $W
	watcher   *watcher
	passes    bool      // came to its end
	began     time.Time // of the watch
	limits    Limits
	unordered bool // by command any-order
	want      []Expectation
	// names are what the script remembers, by @NAME.
	names map[string]remembered
	// actor is the process of the last act, 0 when something else came after.
	actor int
	jobs  map[string]*exec.Cmd
	// placed are files and directories of the host, in the order of their making.
	placed []string
}

// remembered is a file, as it was then, or a process.
type remembered struct{ inode, dev, mount, mtime, atime, pid uint64 }

// runKey finds the run among the values of a script.
type runKey struct{}

var runs atomic.Uint64

// params returns how testscript runs files in this setting.
func (s setting) params(files []string) testscript.Params {
	commands := map[string]func(*run, *testscript.TestScript, []string) error{
		"watch": (*run).watch, "act": (*run).act, "start": (*run).start, "join": (*run).join, "container": (*run).container,
		"tool": (*run).tool, "type": (*run).typed, "stat": (*run).stat, "repeat": (*run).repeat, "pathlen": (*run).pathlen,
		"expect": (*run).expect, "settle": (*run).settle, "end": (*run).end, "cannot": (*run).cannot, "any-order": (*run).anyOrder,
		"place": (*run).place, "group": (*run).group, "pause": (*run).pause, "resume": (*run).resume,
		"replay-same": (*run).replaySame, "replay": (*run).replay,
	}
	p := testscript.Params{Files: files, Setup: s.setup, Condition: s.condition, RequireUniqueNames: true}
	p.Cmds = map[string]func(*testscript.TestScript, bool, []string){}
	for name, command := range commands {
		p.Cmds[name] = func(ts *testscript.TestScript, neg bool, words []string) {
			if neg {
				ts.Fatalf("! is not for %s", name)
			}
			for i := range words {
				var err error
				words[i], err = Unescape(words[i])
				ts.Check(err)
			}
			ts.Check(command(ts.Value(runKey{}).(*run), ts, words))
		}
	}
	return p
}

// setup gives a script its filesystems and variables.
func (s setting) setup(env *testscript.Env) error {
	dir := filepath.Join(base, fmt.Sprintf("%s-%d", s.fs.name, runs.Add(1)))
	r := &run{setting: s, dir: dir, root: filepath.Join(dir, "w"),
		limits: Limits{}, names: map[string]remembered{}, jobs: map[string]*exec.Cmd{}}
	env.Defer(func() { r.tearDown(env.T()) })
	if err := r.limits.DeclareFor(s.table, s.backend, s.fs.name); err != nil {
		return err
	}
	if err := s.fs.mount(r.root, dir+".img"); err != nil {
		return err
	}
	memory := filesystem{name: "tmpfs", options: "mode=755"}
	for _, other := range []string{"o", "marker"} {
		if err := memory.mount(filepath.Join(dir, other), ""); err != nil {
			return err
		}
	}
	env.Values[runKey{}] = r
	env.Cd = r.root
	env.Setenv("W", r.root)
	env.Setenv("O", filepath.Join(dir, "o"))
	env.Setenv("ID", fmt.Sprintf("%x", sha256.Sum256([]byte(dir))))
	env.Setenv("FIM", s.fim)
	env.Setenv("ACTOR", programs.actor)
	return nil
}

func (r *run) tearDown(t testscript.T) {
	var errs []error
	for _, job := range r.jobs {
		errs = append(errs, job.Process.Kill())
		job.Wait()
	}
	if r.watcher != nil && (r.crowd == nil || !r.passes) {
		r.watcher.stop()
	}
	r.unplace()
	errs = append(errs, unmountBelow(r.dir))
	if r.watcher != nil && r.crowd != nil {
		r.watcher.past = append(r.watcher.past, r.dir)
		r.crowd.pass()
	}
	if err := errors.Join(errs...); err != nil {
		t.Log(err)
		t.FailNow()
	}
}

// condition knows [backend], [filesystem], [kernel:SERIES], and what a kernel may
// refuse: [io_uring], and [protected_hardlinks], see proc_sys_fs(5).
func (s setting) condition(name string) (bool, error) {
	for _, f := range filesystems {
		if f.name == name {
			return s.fs.name == name, nil
		}
	}
	series, isKernel := strings.CutPrefix(name, "kernel:")
	switch {
	case name == "fanotify" || name == "ebpf":
		return s.backend == name, nil
	case isKernel:
		release, err := os.ReadFile("/proc/sys/kernel/osrelease")
		return strings.HasPrefix(string(release), series+"."), err
	case name == "io_uring":
		return hasRings(), nil
	case name == "protected_hardlinks":
		value, err := os.ReadFile("/proc/sys/fs/protected_hardlinks")
		return string(value) == "1\n", err
	}
	return false, fmt.Errorf("no condition %q", name)
}

// hasRings tells whether the kernel lets us make an io_uring; see io_uring_setup(2).
func hasRings() bool {
	const setup = 425
	var parameters [30]uint32
	fd, _, errno := unix.Syscall(setup, 1, uintptr(unsafe.Pointer(&parameters)), 0)
	if errno != 0 {
		return false
	}
	return unix.Close(int(fd)) == nil
}

func (r *run) watch(ts *testscript.TestScript, words []string) error {
	if r.watcher != nil {
		return errors.New("already watching")
	}
	var err error
	if r.crowd != nil {
		r.watcher, err = r.crowd.join(r, words)
		r.began = time.Now()
		return err
	}
	r.began = time.Now()
	marker := filepath.Join(r.dir, "marker")
	p, err := startWatch(r.fim, r.backend, words, []string{marker})
	r.watcher = &watcher{process: p, marker: marker}
	return err
}
