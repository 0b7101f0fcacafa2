// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// path returns what a script's relative path means.
func (r *run) path(name string) string { return below(r.root, name) }

func lstat(path string) (remembered, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return remembered{}, &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	var more unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_MNT_ID, &more); err != nil {
		return remembered{}, &os.PathError{Op: "statx", Path: path, Err: err}
	}
	return remembered{
		inode: st.Ino, dev: st.Dev, mount: more.Mnt_id,
		mtime: uint64(st.Mtim.Nano()), atime: uint64(st.Atim.Nano()),
	}, nil
}

func (r *run) stat(_ *testscript.TestScript, words []string) (err error) {
	if len(words) != 2 {
		return errors.New("want: stat NAME PATH")
	}
	r.names[words[0]], err = lstat(r.path(words[1]))
	return err
}

// resolve is what @NAME means as the value of a key.
func (r *run) resolve(key, name string) (string, error) {
	known, ok := r.names[name]
	value := known.inode
	switch key {
	case "dev", "real.dev":
		value = known.dev
	case "proc.pid", "proc.tid", "proc.ppid", "proc.apid", "proc.sid", "proc.vpid":
		value = known.pid
	case "proc.mntns", "proc.pidns":
		return namespaceOf(known.pid, strings.TrimPrefix(strings.TrimSuffix(key, "ns"), "proc."))
	case "mount_id":
		value = known.mount
	case "mtime", "old.mtime":
		value = known.mtime
	case "atime":
		value = known.atime
	case "inode", "old.inode", "real.inode":
	default:
		ok = false
	}
	if !ok {
		return "", fmt.Errorf("@%s is not known, or not for key %s", name, key)
	}
	return strconv.FormatUint(value, 10), nil
}

// namespaceOf returns the number of a namespace of a process that is still there.
func namespaceOf(pid uint64, kind string) (string, error) {
	link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
	return strings.TrimSuffix(strings.TrimPrefix(link, kind+":["), "]"), err
}

func (r *run) expect(_ *testscript.TestScript, words []string) error {
	if r.watcher == nil {
		return errors.New("expect before watch")
	}
	parsed, err := ParseExpectation(words, r.root, r.resolve)
	if err != nil {
		return err
	}
	for i := range parsed {
		parsed[i] = r.sharpen(parsed[i])
	}
	r.want = append(r.want, r.limits.Apply(parsed)...)
	return nil
}

// sharpen adds what is known without saying: who acted, and which file it is
// when one lies at the path now. What lies where an attempt was refused may be
// what it was refused for.
func (r *run) sharpen(e Expectation) Expectation {
	add := func(key string, value uint64) {
		if !e.Says(key) {
			e.Want = append(e.Want, Want{key, strconv.FormatUint(value, 10)})
		}
	}
	if r.actor == 0 {
		return e
	}
	add("proc.pid", uint64(r.actor))
	if now, err := lstat(e.Want[0].Value); err == nil && !e.Says(refused) {
		add("inode", now.inode)
		add("dev", now.dev)
	}
	return e
}

// settle compares everything since the last settle.
func (r *run) settle(_ *testscript.TestScript, words []string) error {
	if len(words) != 0 || r.watcher == nil {
		return errors.New("want: settle, after watch")
	}
	want := r.want
	r.want, r.actor = nil, 0
	got, err := r.watcher.settle(r.patience)
	if err != nil {
		return errors.Join(err, r.watcher.last())
	}
	for _, event := range got {
		if wrong := Sound(event, r.limits, r.began, time.Now()); wrong != "" {
			return fmt.Errorf("%s: %s", event, wrong)
		}
	}
	_, merged := r.limits[Merged]
	wrong := Compare(want, got, merged || r.unordered)
	if wrong != "" && Compare(want, WithoutRearmed(got), merged || r.unordered) != "" {
		return errors.Join(errors.New(wrong), r.watcher.last())
	}
	return nil
}

// anyOrder is for programs whose processes work beside each other.
func (r *run) anyOrder(*testscript.TestScript, []string) error {
	r.unordered = true
	return nil
}

func (r *run) pause(*testscript.TestScript, []string) error { return r.watcher.pause() }

func (r *run) resume(*testscript.TestScript, []string) error {
	return r.watcher.signal(syscall.SIGCONT)
}

// end is the last line of every script.
func (r *run) end(ts *testscript.TestScript, _ []string) error {
	if r.watcher == nil {
		return nil
	}
	if err := r.settle(ts, nil); err != nil {
		return err
	}
	if what := r.limits.Unused(); what != "" {
		return fmt.Errorf("cannot %s %s: no expectation of this script depends on it", r.backend, what)
	}
	r.passes = true
	if r.crowd != nil && !r.crowd.last() {
		return nil
	}
	return r.watcher.stop()
}

func (r *run) cannot(_ *testscript.TestScript, words []string) error {
	if len(words) < 2 {
		return errors.New("want: cannot BACKEND WHAT...")
	}
	if words[0] != r.backend {
		return nil
	}
	for _, what := range words[1:] {
		if err := r.limits.Declare(r.table, r.backend, what); err != nil {
			return err
		}
	}
	return nil
}
