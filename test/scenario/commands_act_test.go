// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

func (r *run) act(ts *testscript.TestScript, words []string) error {
	cmd := r.command(ts, programs.actor, words)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s", out)
	}
	r.actor = cmd.Process.Pid
	return nil
}

func (r *run) start(ts *testscript.TestScript, words []string) error {
	if len(words) < 2 {
		return errors.New("want: start NAME STEP ARG...")
	}
	cmd := r.command(ts, programs.actor, words[1:])
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	r.jobs[words[0]] = cmd
	r.names[words[0]] = remembered{pid: uint64(cmd.Process.Pid)}
	return nil
}

func (r *run) join(_ *testscript.TestScript, words []string) error {
	if len(words) != 1 || r.jobs[words[0]] == nil {
		return errors.New("want: join NAME, of one that was started")
	}
	r.actor = 0
	cmd := r.jobs[words[0]]
	delete(r.jobs, words[0])
	return cmd.Wait()
}

// container has runc start the container of a bundle, and returns when its first
// process runs, which is who the name stands for; join waits for its end.
func (r *run) container(ts *testscript.TestScript, words []string) error {
	if len(words) != 2 {
		return errors.New("want: container NAME BUNDLE")
	}
	name, id := words[0], ts.Getenv("ID")
	pid, state := filepath.Join(r.dir, "o", name+".pid"), filepath.Join(r.dir, "o", name+".runc")
	cmd := r.command(ts, "runc", []string{"--root", state, "run", "--bundle", words[1], "--pid-file", pid, id})
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	r.jobs[name] = cmd
	ts.Defer(func() {
		if r.jobs[name] != nil { // the script failed, and the container goes on
			_ = r.command(ts, "runc", []string{"--root", state, "delete", "--force", id}).Run()
		}
	})
	number, err := awaitNumber(pid, cmd.Process.Pid)
	r.names[name] = remembered{pid: number}
	return err
}

// awaitNumber reads a file that a child makes with all that is in it, or ends without.
func awaitNumber(file string, child int) (uint64, error) {
	for {
		var info unix.Siginfo // of a child that has ended; join waits for it again
		if err := unix.Waitid(unix.P_PID, child, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil); err != nil {
			return 0, err
		}
		text, err := os.ReadFile(file)
		switch {
		case err == nil:
			return strconv.ParseUint(string(text), 10, 64)
		case info.Signo != 0:
			return 0, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// tool runs a program that may start others, so no process is expected.
func (r *run) tool(ts *testscript.TestScript, words []string) error {
	if len(words) == 0 {
		return errors.New("want: tool PROGRAM ARG...")
	}
	r.actor = 0
	out, err := r.command(ts, words[0], words[1:]).CombinedOutput()
	if len(out) > 0 {
		ts.Logf("%s", out)
	}
	return err
}

// place puts a file from the archive on the host, with the directories it needs,
// until the script ends.
func (r *run) place(ts *testscript.TestScript, words []string) error {
	if len(words) != 2 || !filepath.IsAbs(words[1]) {
		return errors.New("want: place FILE PATH, absolute")
	}
	if err := r.mkdirs(filepath.Dir(words[1])); err != nil {
		return err
	}
	r.placed = append(r.placed, words[1])
	return os.WriteFile(words[1], []byte(ts.ReadFile(ts.MkAbs(filepath.Join(ts.Getenv("WORK"), words[0])))), 0o644)
}

// group makes a control group, with those above it, until the script ends.
func (r *run) group(_ *testscript.TestScript, words []string) error {
	if len(words) != 1 {
		return errors.New("want: group PATH, below a mounted hierarchy")
	}
	return r.mkdirs(words[0])
}

// mkdirs makes directories until the script ends.
func (r *run) mkdirs(dir string) error {
	if _, err := os.Lstat(dir); err == nil {
		return nil
	}
	if err := r.mkdirs(filepath.Dir(dir)); err != nil {
		return err
	}
	r.placed = append(r.placed, dir)
	return os.Mkdir(dir, 0o755)
}

// unplace takes what place and group made away, but no directory that others use meanwhile.
func (r *run) unplace() {
	for _, path := range slices.Backward(r.placed) {
		_ = os.Remove(path)
	}
}

func (r *run) command(ts *testscript.TestScript, program string, args []string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = r.root
	cmd.Env = []string{"PATH=" + ts.Getenv("PATH"), "HOME=" + ts.Getenv("WORK"), "TMPDIR=" + ts.Getenv("TMPDIR"), "TERM=dumb", "LC_ALL=C"}
	return cmd
}

func (r *run) repeat(ts *testscript.TestScript, words []string) error {
	if len(words) != 3 {
		return errors.New("want: repeat VAR TEXT COUNT")
	}
	count, err := strconv.Atoi(words[2])
	if err != nil {
		return err
	}
	ts.Setenv(words[0], strings.Repeat(words[1], count))
	return nil
}

// pathlen sets a variable to a path of just so many bytes, its components as
// long as filesystems allow.
func (r *run) pathlen(ts *testscript.TestScript, words []string) error {
	if len(words) != 3 {
		return errors.New("want: pathlen VAR PREFIX LENGTH")
	}
	length, err := strconv.Atoi(words[2])
	if err != nil {
		return err
	}
	path := words[1]
	for len(path) < length {
		component := min(255, length-len(path)-1)
		if rest := length - len(path) - 1 - component; rest == 1 {
			component-- // no room for a name behind the last slash
		}
		path += "/" + strings.Repeat("n", component)
	}
	ts.Setenv(words[0], path)
	return nil
}
