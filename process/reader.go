// SPDX-License-Identifier: Apache-2.0

// Package process tells who did something, from what /proc still knows of a
// process.
//
// A process number says little: by the time it is looked up, the process may be
// gone and the number may belong to another. So nothing is reported without
// proof. /proc/PID is opened first, which ties the descriptor to whatever
// process has the number now; then the caller's pidfd, which the kernel made
// for the process in question, is asked whether it still holds the number. If
// so both are the same process, and all that is read through the descriptor is
// its own, or fails.
package process

import (
	"fmt"
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

	text, exe, cwd, args []byte
	argv                 [][]byte
	comm                 [64]byte
}

// New returns a reader of the procfs mounted at root, usually "/proc". It must
// be that of the pid namespace whose numbers are passed to Fill.
func New(root string) *Reader {
	return &Reader{
		root: root, epoch: bootTime(),
		// The longest: a status with all its cpu masks is some 1,500 bytes, a
		// link of procfs never longer than a page.
		text: make([]byte, 4096), exe: make([]byte, unix.PathMax), cwd: make([]byte, unix.PathMax),
		args: make([]byte, MaxArgs),
	}
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
	dir, err := unix.Open(r.root+"/"+strconv.Itoa(pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(dir)
	if !holds(pidfd) {
		return
	}
	r.ids(dir, p)
	r.program(dir, p)
}

// ids fills what stat, status and loginuid tell.
func (r *Reader) ids(dir int, p *event.Process) {
	if text, err := read(dir, "stat", r.text); err == nil {
		if st, ok := parseStat(text); ok {
			p.Comm = r.comm[:copy(r.comm[:], st.comm)]
			p.Ppid = event.Known(st.ppid)
			p.Start = r.epoch + st.start*(1e9/ticksPerSecond)
		}
	}
	if text, err := read(dir, "status", r.text); err == nil {
		p.UID, p.GID = effective(text, "\nUid:"), effective(text, "\nGid:")
	}
	if text, err := read(dir, "loginuid", r.text); err == nil {
		p.LoginUID = parseLogin(text)
	}
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
	var wall, boot unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_REALTIME, &wall) // cannot fail for clocks that exist
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot)
	return uint64(wall.Nano() - boot.Nano())
}
