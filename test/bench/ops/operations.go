// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// operation is one row: prepare returns the step that is repeated.
type operation struct {
	name    string
	prepare func(*scene) (step func() unix.Errno)
}

// operations are what fim watches, and reads, which must stay free of it.
var operations = []operation{
	{"open_read", func(s *scene) func() unix.Errno { return s.openClose(unix.O_RDONLY) }},
	{"open_write", func(s *scene) func() unix.Errno { return s.openClose(unix.O_WRONLY) }},
	{"pwrite1", func(s *scene) func() unix.Errno { return s.transfer(unix.SYS_PWRITE64, 1) }},
	{"read4k", func(s *scene) func() unix.Errno { return s.transfer(unix.SYS_PREAD64, page) }},
	{"chmod", (*scene).chmod},
	{"rename", (*scene).rename},
	{"mkdir_rmdir", (*scene).mkdirRmdir},
	{"create_unlink", (*scene).createUnlink},
}

const page = 4096

// scene is a chain of directories with two files of one page at its end; one
// is held open, the other moves.
type scene struct {
	top, leaf   string
	file, mover string
	held        *os.File
}

// newScene makes the chain below dir, depth directories of which the first is
// called name-*. Their names are as long as real ones: length is part of what a
// path costs.
func newScene(dir, name string, depth int) (*scene, error) {
	top, err := os.MkdirTemp(dir, name+"-")
	if err != nil {
		return nil, err
	}
	s := &scene{top: top, leaf: filepath.Join(top, strings.Repeat("directory/", max(0, depth-1)))}
	if err := s.fill(); err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

func (s *scene) fill() (err error) {
	if err := os.MkdirAll(s.leaf, 0o755); err != nil {
		return err
	}
	s.file, s.mover = filepath.Join(s.leaf, "file"), filepath.Join(s.leaf, "mover")
	for _, f := range []string{s.file, s.mover} {
		if err := os.WriteFile(f, make([]byte, page), 0o644); err != nil {
			return err
		}
	}
	s.held, err = os.OpenFile(s.file, os.O_RDWR, 0)
	return err
}

func (s *scene) remove() {
	if s.held != nil {
		s.held.Close()
	}
	if err := os.RemoveAll(s.top); err != nil {
		fmt.Fprintln(os.Stderr, "ops:", err)
	}
}

// cstring is the argument that the kernel reads: made once, outside of the loop.
func cstring(s string) unsafe.Pointer {
	p, err := unix.BytePtrFromString(s)
	if err != nil {
		panic(err) // a NUL in a path that was just opened
	}
	return unsafe.Pointer(p)
}

// The calls below go straight to the kernel. The wrappers of package unix copy
// the path and talk to Go's scheduler, which is more than some of these
// operations cost.

func open(path unsafe.Pointer, flags, mode uintptr) (fd uintptr, errno unix.Errno) {
	fd, _, errno = unix.RawSyscall6(unix.SYS_OPENAT, atCWD, uintptr(path), flags, mode, 0, 0)
	return fd, errno
}

func do(nr, a, b, c uintptr) unix.Errno {
	_, _, errno := unix.RawSyscall(nr, a, b, c)
	return errno
}

// atCWD is AT_FDCWD as a register holds it; every path here is absolute.
const atCWD = ^uintptr(99)

func (s *scene) openClose(flags uintptr) func() unix.Errno {
	path := cstring(s.file)
	return func() unix.Errno {
		fd, errno := open(path, flags, 0)
		if errno != 0 {
			return errno
		}
		return do(unix.SYS_CLOSE, fd, 0, 0)
	}
}

// transfer reads or writes size bytes at the start of the open file.
func (s *scene) transfer(nr, size uintptr) func() unix.Errno {
	fd, buf := s.held.Fd(), make([]byte, size)
	return func() unix.Errno {
		_, _, errno := unix.RawSyscall6(nr, fd, uintptr(unsafe.Pointer(&buf[0])), size, 0, 0, 0)
		return errno
	}
}

// chmod changes the mode each time: a change to the same one could be skipped.
func (s *scene) chmod() func() unix.Errno {
	path, mode := cstring(s.file), uintptr(0o644)
	return func() unix.Errno {
		mode ^= 0o044
		return do(unix.SYS_FCHMODAT, atCWD, uintptr(path), mode)
	}
}

// rename moves a file of its own to and fro, once a step.
func (s *scene) rename() func() unix.Errno {
	from, to := cstring(s.mover), cstring(s.mover+".moved")
	return func() unix.Errno {
		_, _, errno := unix.RawSyscall6(unix.SYS_RENAMEAT2, atCWD, uintptr(from), atCWD, uintptr(to), 0, 0)
		from, to = to, from
		return errno
	}
}

func (s *scene) mkdirRmdir() func() unix.Errno {
	path := cstring(filepath.Join(s.leaf, "made"))
	return func() unix.Errno {
		if errno := do(unix.SYS_MKDIRAT, atCWD, uintptr(path), 0o755); errno != 0 {
			return errno
		}
		return do(unix.SYS_UNLINKAT, atCWD, uintptr(path), unix.AT_REMOVEDIR)
	}
}

func (s *scene) createUnlink() func() unix.Errno {
	path := cstring(filepath.Join(s.leaf, "made"))
	return func() unix.Errno {
		fd, errno := open(path, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, 0o644)
		if errno != 0 {
			return errno
		}
		if errno := do(unix.SYS_CLOSE, fd, 0, 0); errno != 0 {
			return errno
		}
		return do(unix.SYS_UNLINKAT, atCWD, uintptr(path), 0)
	}
}
