// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// executor is a thread of a worker's process. It does what it is asked and tells what
// took place, which it takes from what the calls returned and from lstat(2).
type executor struct {
	open *openFile // that it holds from call to call
}

// calls is what executors can do. An errno is no trouble: then nothing took place.
var calls = map[string]func(*executor, Call) ([]Fact, error){
	"create": (*executor).create, "write": (*executor).write, "truncate": (*executor).truncate, "ftruncate": (*executor).ftruncate,
	"read": (*executor).read, "tmpfile": (*executor).tmpfile,
	"unlink": (*executor).unlink, "rename": (*executor).rename, "exchange": (*executor).rename, "mkdir": (*executor).mkdir, "rmdir": (*executor).rmdir,
	"link": (*executor).link, "visit": (*executor).visit, "symlink": (*executor).symlink, "mknod": (*executor).mknod,
	"chmod": (*executor).chmod, "chown": (*executor).chown, "utimes": (*executor).utimes,
	"setxattr": (*executor).setxattr, "removexattr": (*executor).removexattr,
	"hold": (*executor).hold, "held-write": (*executor).heldWrite, "held-truncate": (*executor).heldTruncate, "drop": (*executor).drop,
	"bind": (*executor).bind, "tmpfs": (*executor).tmpfs, "umount": (*executor).umount,
}

// serve answers calls until the other side closes the pipe. The thread is its own: it
// becomes another user now and then, and its id is part of the answer.
func serve(r io.Reader, w io.Writer) error {
	runtime.LockOSThread()
	in, out := gob.NewDecoder(r), gob.NewEncoder(w)
	var e executor
	for {
		var c Call
		if err := in.Decode(&c); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := out.Encode(e.answer(c)); err != nil {
			return err
		}
	}
}

func (e *executor) answer(c Call) Answer {
	a := Answer{Pid: os.Getpid(), Tid: unix.Gettid()}
	do, ok := calls[c.Do]
	if !ok {
		a.Trouble = fmt.Sprintf("no call %q", c.Do)
		return a
	}
	if c.Nobody {
		if err := become(nobody); err != nil {
			a.Trouble = err.Error()
			return a
		}
	}
	facts, err := do(e, c)
	if c.Nobody {
		err = errors.Join(err, become(0))
	}
	var errno unix.Errno
	if err != nil && !errors.As(err, &errno) {
		a.Trouble = err.Error()
	}
	a.Facts, a.Open = facts, e.open != nil
	return a
}

const nobody = 65534

// become changes the effective user of this thread alone, and with it its capabilities.
func become(uid int) error {
	keep := ^uintptr(0)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, keep, uintptr(uid), keep); errno != 0 {
		return fmt.Errorf("setresuid %d: %s", uid, errno)
	}
	return nil
}

// lstat returns what is at a path, and whether something is.
func lstat(file string) (Stat, bool) {
	var st unix.Stat_t
	err := unix.Lstat(file, &st)
	return statOf(&st), err == nil
}

func fstat(fd int) (Stat, error) {
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	return statOf(&st), err
}

func statOf(st *unix.Stat_t) Stat {
	return Stat{Ino: st.Ino, Dev: st.Dev, Mode: st.Mode, Size: st.Size, Nlink: uint64(st.Nlink)}
}

func (s Stat) regular() bool { return s.Mode&unix.S_IFMT == unix.S_IFREG }

func (s Stat) same(o Stat) bool { return s.Ino == o.Ino && s.Dev == o.Dev }

// changed is the fact that op took place at A, whose file is told as it is after it.
func changed(op string, c Call, err error) ([]Fact, error) {
	if err != nil {
		return nil, err
	}
	st, ok := lstat(c.A)
	if !ok {
		return nil, fmt.Errorf("%s %q, and then it is gone", op, c.A)
	}
	return []Fact{{Op: op, At: atA, File: st, Size: unsized, Old: unsized}}, nil
}

// removed is the fact that op removed what was at A.
func removed(op string, c Call, remove func(string) error) ([]Fact, error) {
	st, _ := lstat(c.A)
	if err := remove(c.A); err != nil {
		return nil, err
	}
	st.Nlink--
	return []Fact{{Op: op, At: atA, File: st, Size: unsized, Old: unsized}}, nil
}
