// SPDX-License-Identifier: Apache-2.0

// Package process tells who did something: from what /proc still knows of a
// process, and from the files in which the host names its users and containers.
//
// A process number says little: by the time it is looked up, the process may be
// gone and the number may belong to another. So nothing is reported without
// proof. /proc/PID is opened first, which ties the descriptor to whatever
// process has the number now; then the caller's pidfd, which the kernel made
// for the process in question, is asked whether it still holds the number, or
// the time at which it started is compared. If so both are the same process, and
// all that is read through the descriptor is its own, or fails.
//
// What /proc tells is of now, a moment after the event. Nothing of it is used for
// an event that happened later than it was read.
package process

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

// MaxArgs is how many bytes of the arguments are kept, the NULs between them
// included. What is longer ends in a cut argument.
const MaxArgs = 4096

// Reader reads processes from one mounted procfs. It keeps its buffers, so it
// is not safe for concurrent use.
type Reader struct {
	root  string
	epoch uint64 // the moment of boot, in nanoseconds since the Unix epoch
	// hostMounts is the mount namespace that counts as the host's.
	hostMounts event.Uint

	text   []byte // scratch for files
	path   []byte // scratch for links
	filled record // by Fill and Arguments
	memo   memo   // of Complete
}

// New returns a reader of the procfs mounted at root, usually "/proc". It must
// be that of the pid namespace whose numbers are passed to Fill. The host's
// mounts are those that this process sees, or with another root those of the
// first process there.
func New(root string) *Reader {
	r := &Reader{
		root: root, epoch: bootTime(),
		// One line of /proc/PID/cgroup holds a path; a status with all its cpu
		// masks is some 1,500 bytes, a link of procfs never longer than a page.
		text: make([]byte, 64<<10), path: make([]byte, unix.PathMax),
	}
	first := "self"
	if root != "/proc" {
		first = "1"
	}
	r.hostMounts = r.namespace(unix.AT_FDCWD, filepath.Join(root, first, "ns/mnt"))
	return r
}

// Fill sets in p what /proc knows of the process pid, whose pidfd proves that it
// is still that one; without a pidfd (-1), or when the process is gone, only Pid
// is set. What cannot be read stays absent. Slices of p are valid until the next
// Fill.
//
// The values are those of now, not of when the event happened, and those of the
// main thread. UID and GID are the effective ids, as user.uid and group.gid of
// Falco. Start counts in ticks of 10 ms and is fixed to the wall clock as it
// stood when the reader was made, so that it names a process even if the clock
// is set.
func (r *Reader) Fill(pid, pidfd int, p *event.Process) {
	*p = event.Process{}
	if pid <= 0 {
		return // not visible in our pid namespace
	}
	p.Pid = uint64(pid)
	if pidfd < 0 {
		return
	}
	dir, err := r.open(pid)
	if err != nil {
		return
	}
	defer unix.Close(dir)
	if !holds(pidfd) {
		return
	}
	r.describe(dir, &r.filled)
	*p = r.filled.who
	p.Pid = uint64(pid)
}

// open opens the directory of the process that has the number now.
func (r *Reader) open(pid int) (dir int, err error) {
	return unix.Open(r.root+"/"+strconv.Itoa(pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// describe makes rec say all that is known of the process behind dir.
func (r *Reader) describe(dir int, rec *record) {
	rec.reset()
	st, ok := r.stat(dir)
	if ok {
		rec.stat(&st, r.epoch)
	}
	r.ids(dir, rec)
	r.places(dir, rec, st.gone)
	r.program(dir, rec)
	if ok {
		r.ancestors(dir, st, rec)
	}
}

// stat reads /proc/PID/stat; the result is valid until the next read.
func (r *Reader) stat(dir int) (st stat, ok bool) {
	text, err := read(dir, "stat", r.text)
	if err != nil {
		return st, false
	}
	return parseStat(text)
}

// ids adds what status and loginuid tell.
func (r *Reader) ids(dir int, rec *record) {
	p := &rec.who
	if text, err := read(dir, "status", r.text); err == nil {
		p.RUID, p.UID = ids(text, "\nUid:")
		p.RGID, p.GID = ids(text, "\nGid:")
		p.Vpid = innermost(text)
	}
	if text, err := read(dir, "loginuid", r.text); err == nil {
		p.LoginUID = parseLogin(text)
	}
}

// places adds the namespaces and the control group, which may have been removed
// under a process that is gone.
func (r *Reader) places(dir int, rec *record, gone bool) {
	p := &rec.who
	p.MntNS, p.PidNS = r.namespace(dir, "ns/mnt"), r.namespace(dir, "ns/pid")
	p.HostMntNS = r.IsHost(p.MntNS)
	if text, err := read(dir, "cgroup", r.text); err == nil {
		path := cgroupPath(text)
		if gone {
			path = bytes.TrimSuffix(path, deletedMark)
		}
		p.Cgroup = rec.keep(path)
	}
}

// program adds what the process runs.
func (r *Reader) program(dir int, rec *record) {
	p := &rec.who
	p.Exe = rec.keep(r.link(dir, "exe"))
	p.Cwd = rec.keep(r.link(dir, "cwd"))
	rec.argv, p.ArgsCut = r.arguments(dir, rec, rec.argv)
	p.Argv = rec.argv
}

// arguments returns the arguments in list, and whether they were cut.
func (r *Reader) arguments(dir int, rec *record, list [][]byte) (argv [][]byte, cut bool) {
	text, err := read(dir, "cmdline", r.text[:MaxArgs+1])
	if err != nil {
		return list[:0], false
	}
	if cut = len(text) > MaxArgs; cut {
		text = text[:MaxArgs]
	}
	return splitArgs(list[:0], rec.keep(text)), cut
}

// holds says whether the process of pidfd still has its number: it runs, or it
// is a zombie, whose number the kernel does not give away. Signal 0 is never
// delivered; EPERM is said of processes that are there, see kill(2).
func holds(pidfd int) bool {
	err := unix.PidfdSendSignal(pidfd, 0, nil, 0)
	return err == nil || err == unix.EPERM
}

// read reads the file name below dir into buf, as much as fits.
func read(dir int, name string, buf []byte) ([]byte, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /proc/PID/%s: %w", name, err)
	}
	defer unix.Close(fd)
	n := 0
	for n < len(buf) {
		m, err := unix.Read(fd, buf[n:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read /proc/PID/%s: %w", name, err)
		}
		if m == 0 {
			break
		}
		n += m
	}
	return buf[:n], nil
}

// bootTime returns when CLOCK_BOOTTIME was zero, on the wall clock of now.
func bootTime() uint64 {
	var wall unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_REALTIME, &wall) // cannot fail for a clock that exists
	return uint64(wall.Nano()) - bootNow()
}

// bootNow returns CLOCK_BOOTTIME in nanoseconds.
func bootNow() uint64 {
	var boot unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) // cannot fail either
	return uint64(boot.Nano())
}
