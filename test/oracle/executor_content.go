// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"bytes"
	"errors"
	"strings"

	"golang.org/x/sys/unix"
)

// openFile is a descriptor and where it was opened.
type openFile struct {
	fd   int
	spot Spot
	// shared says that the process had the file open more than once.
	shared bool
}

// openAt opens A for writing, which must not wait for a fifo's reader. Nothing but
// regular files is opened.
func (e *executor) openAt(c Call, flags int) (*openFile, error) {
	if st, ok := lstat(c.A); ok && !st.regular() {
		return nil, unix.EINVAL
	}
	fd, err := unix.Open(c.A, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o644)
	return &openFile{fd: fd, spot: atA, shared: err == nil && e.shares(fd)}, err
}

// shares notes whether the file that is held is now open a second time.
func (e *executor) shares(fd int) bool {
	if e.open == nil {
		return false
	}
	a, _ := fstat(fd)
	b, _ := fstat(e.open.fd)
	e.open.shared = e.open.shared || a.same(b)
	return a.same(b)
}

// fact is op at this file as it is now.
func (f *openFile) fact(op string, size, old int64) (Fact, error) {
	st, err := fstat(f.fd)
	return Fact{Op: op, At: f.spot, File: st, Size: size, Old: old, Open: true, Shared: f.shared}, err
}

// change does something to the content and returns what is told of it.
func (f *openFile) change(op string, do func() error) ([]Fact, error) {
	before, err := fstat(f.fd)
	if err != nil {
		return nil, err
	}
	if err := do(); err != nil {
		return nil, err
	}
	fact, err := f.fact(op, unsized, before.Size)
	if op == "truncate" {
		fact.Size = fact.File.Size
	}
	return []Fact{fact}, err
}

// put writes a few bytes in one of several ways.
func (f *openFile) put(n int) ([]Fact, error) {
	text := bytes.Repeat([]byte("x"), 1+n%50)
	return f.change("modify", func() (err error) {
		switch n % 3 {
		case 0:
			_, err = unix.Write(f.fd, text)
		case 1:
			_, err = unix.Pwrite(f.fd, text, int64(n%100))
		default:
			_, err = unix.Writev(f.fd, [][]byte{text, text})
		}
		return err
	})
}

// shut closes it.
func (f *openFile) shut() ([]Fact, error) {
	fact, err := f.fact("close", unsized, unsized)
	fact.Size = fact.File.Size
	return []Fact{fact}, errors.Join(err, unix.Close(f.fd))
}

// finish writes a number of times and closes.
func (f *openFile) finish(facts []Fact, writes, n int) ([]Fact, error) {
	for i := range writes {
		more, err := f.put(n + i)
		if err != nil {
			return nil, errors.Join(err, unix.Close(f.fd))
		}
		facts = append(facts, more...)
	}
	more, err := f.shut()
	return append(facts, more...), err
}

// create opens a file that may be there or not, as its flags say.
func (e *executor) create(c Call) ([]Fact, error) {
	f, facts, err := e.opened(c, unix.O_WRONLY|[]int{0, unix.O_EXCL, unix.O_TRUNC, unix.O_APPEND}[c.N%4])
	if err != nil {
		return nil, err
	}
	return f.finish(facts, c.N/4%3, c.N)
}

// opened opens with O_CREAT and tells whether that made the file or emptied it.
func (e *executor) opened(c Call, flags int) (*openFile, []Fact, error) {
	before, existed := lstat(c.A)
	f, err := e.openAt(c, unix.O_CREAT|flags)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case !existed:
		fact, err := f.fact("create", 0, unsized)
		return f, []Fact{fact}, err
	case flags&unix.O_TRUNC != 0:
		fact, err := f.fact("truncate", 0, before.Size)
		return f, []Fact{fact}, err
	}
	return f, nil, nil
}

func (e *executor) write(c Call) ([]Fact, error) {
	f, err := e.openAt(c, unix.O_WRONLY|[]int{0, unix.O_APPEND}[c.N%2])
	if err != nil {
		return nil, err
	}
	return f.finish(nil, c.N/2%3, c.N)
}

func (*executor) read(c Call) ([]Fact, error) {
	fd, err := unix.Open(c.A, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return nil, unix.Close(fd)
}

func (*executor) truncate(c Call) ([]Fact, error) {
	before, _ := lstat(c.A)
	facts, err := changed("truncate", c, unix.Truncate(c.A, int64(c.N%100)))
	if err != nil {
		return nil, err
	}
	facts[0].Size, facts[0].Old = facts[0].File.Size, before.Size
	return facts, nil
}

func (e *executor) ftruncate(c Call) ([]Fact, error) {
	f, err := e.openAt(c, unix.O_WRONLY)
	if err != nil {
		return nil, err
	}
	facts, err := f.cut(c.N)
	if err != nil {
		return nil, errors.Join(err, unix.Close(f.fd))
	}
	return f.finish(facts, c.N%2, c.N)
}

func (f *openFile) cut(n int) ([]Fact, error) {
	return f.change("truncate", func() error { return unix.Ftruncate(f.fd, int64(n%100)) })
}

// tmpfile writes a file without a name and then gives it one. What was written while
// nobody could name it is not told, and its close may be.
func (*executor) tmpfile(c Call) ([]Fact, error) {
	dir := c.A[:max(1, strings.LastIndexByte(c.A, '/'))]
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, err
	}
	_, err = unix.Write(fd, []byte("hello"))
	if err == nil {
		err = unix.Linkat(fd, "", unix.AT_FDCWD, c.A, unix.AT_EMPTY_PATH)
	}
	st, _ := fstat(fd)
	if err := errors.Join(err, unix.Close(fd)); err != nil {
		return nil, err
	}
	return []Fact{
		{Op: "create", At: atA, File: st, Size: 5, Old: unsized},
		{Op: "close", At: atA, File: st, Size: 5, Old: unsized, Maybe: true},
	}, nil
}

// hold opens a file and keeps it open, instead of what was held before.
func (e *executor) hold(c Call) ([]Fact, error) {
	if e.open != nil {
		return nil, unix.EBUSY
	}
	f, facts, err := e.opened(c, unix.O_RDWR)
	if err != nil {
		return nil, err
	}
	e.open = f
	return facts, nil
}

func (e *executor) heldWrite(c Call) ([]Fact, error) {
	return e.holding(func() ([]Fact, error) { return e.open.put(c.N) })
}

func (e *executor) heldTruncate(c Call) ([]Fact, error) {
	return e.holding(func() ([]Fact, error) { return e.open.cut(c.N) })
}

func (e *executor) drop(Call) ([]Fact, error) {
	return e.holding(func() ([]Fact, error) {
		facts, err := e.open.shut()
		e.open = nil
		return facts, err
	})
}

// holding does something to the file that is held, wherever it is by now.
func (e *executor) holding(do func() ([]Fact, error)) ([]Fact, error) {
	if e.open == nil {
		return nil, unix.EBADF
	}
	e.open.spot = held
	return do()
}
