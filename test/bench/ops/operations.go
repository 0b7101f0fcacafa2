// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// operation is one row: prepare returns the step that is repeated, and before,
// if there is one, what comes before each step and is not measured.
type operation struct {
	name    string
	prepare func(*scene) (step func() unix.Errno)
	before  func(*scene) (step func() unix.Errno)
}

// operations are what fim watches, and reads, which must stay free of it.
var operations = []operation{
	{name: "open_read", prepare: openRead},
	{name: "open_write", prepare: func(s *scene) func() unix.Errno { return s.openClose(unix.O_WRONLY) }},
	{name: "pwrite1", prepare: func(s *scene) func() unix.Errno { return s.transfer(unix.SYS_PWRITE64, 1) }},
	{name: "read4k", prepare: func(s *scene) func() unix.Errno { return s.transfer(unix.SYS_PREAD64, page) }},
	{name: "chmod", prepare: (*scene).chmod},
	{name: "rename", prepare: (*scene).rename},
	{name: "mkdir_rmdir", prepare: (*scene).mkdirRmdir},
	{name: "create_unlink", prepare: (*scene).createUnlink},
	// What one user's renames cost everyone's next open.
	{name: "open_after_rename", prepare: openRead, before: (*scene).moveAside},
}

func openRead(s *scene) func() unix.Errno { return s.openClose(unix.O_RDONLY) }

const page = 4096

// place is where operations work.
type place struct {
	dir   string // the scenes are made here
	depth int    // directories from there to the files
	aside string // open_after_rename moves a directory from dir to here and back
}

// scene is a chain of directories with two files of one page at its end; one
// is held open, the other moves.
type scene struct {
	place
	top, leaf   string
	file, mover string
	held        *os.File
}

// newScene makes the chain, of which the first directory is called name-*. It
// gets that name last and loses it first: events beneath it are those of the
// steps. The names are as long as real ones: length is part of what a path costs.
func newScene(p place, name string) (*scene, error) {
	making, err := os.MkdirTemp(p.dir, "scene-")
	if err != nil {
		return nil, err
	}
	s := &scene{place: p}
	s.call(making)
	err = s.fill()
	if err == nil {
		err = s.entitle(name)
	}
	if err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

// call notes the path of the chain's top and what lies below.
func (s *scene) call(top string) {
	s.top = top
	s.leaf = filepath.Join(top, strings.Repeat("directory/", max(0, s.depth-1)))
	s.file, s.mover = filepath.Join(s.leaf, "file"), filepath.Join(s.leaf, "mover")
}

func (s *scene) fill() (err error) {
	if err := os.MkdirAll(s.leaf, 0o755); err != nil {
		return err
	}
	for _, f := range []string{s.file, s.mover} {
		if err := os.WriteFile(f, make([]byte, page), 0o644); err != nil {
			return err
		}
	}
	s.held, err = os.OpenFile(s.file, os.O_RDWR, 0)
	return err
}

// entitle replaces the first word of the top's name.
func (s *scene) entitle(word string) error {
	_, number, _ := strings.Cut(filepath.Base(s.top), "-")
	to := filepath.Join(s.dir, word+"-"+number)
	if err := os.Rename(s.top, to); err != nil {
		return err
	}
	s.call(to)
	return nil
}

func (s *scene) remove() {
	err := s.entitle("scene")
	if s.held != nil {
		s.held.Close()
	}
	err = errors.Join(err, os.RemoveAll(s.top))
	for _, moved := range s.asides() {
		err = errors.Join(err, os.RemoveAll(moved))
	}
	if err != nil {
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
func (s *scene) rename() func() unix.Errno { return toAndFro(s.mover, s.mover+".moved") }

// moveAside moves a directory of two, which has nothing to do with the chain,
// out of dir, and back the next time.
func (s *scene) moveAside() func() unix.Errno {
	moved := s.asides()
	if err := os.MkdirAll(filepath.Join(moved[0], "inner"), 0o755); err != nil {
		fmt.Fprintln(os.Stderr, "ops:", err) // the first step fails as well
	}
	return toAndFro(moved[0], moved[1])
}

// asides are the two places of the directory that moves.
func (s *scene) asides() [2]string {
	return [2]string{filepath.Join(s.aside, "moved"), filepath.Join(s.dir, "moved")}
}

func toAndFro(a, b string) func() unix.Errno {
	from, to := cstring(a), cstring(b)
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
