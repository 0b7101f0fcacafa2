// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ringSteps let the kernel open and write by io_uring(7): no system call of the
// process names the operation. The worker steps make it a kernel thread's work.
var ringSteps = []step{
	{"uring-create", "PATH [TEXT]", func(a []string) error { return uring(0, a, create) }},
	{"uring-write", "PATH TEXT", func(a []string) error { return uring(0, a, existing) }},
	{"uring-worker-create", "PATH [TEXT]", func(a []string) error { return uring(workerOnly, a, create) }},
	{"uring-worker-write", "PATH TEXT", func(a []string) error { return uring(workerOnly, a, existing) }},
}

const (
	create   = unix.O_CREAT | unix.O_EXCL | unix.O_WRONLY
	existing = unix.O_WRONLY
)

// Numbers of linux/io_uring.h.
const (
	ringSetup, ringEnter                    = 425, 426 // the same on every architecture
	opOpenat, opClose, opWrite              = 18, 19, 23
	workerOnly                              = 1 << 4 // IOSQE_ASYNC
	awaitEvents                             = 1      // IORING_ENTER_GETEVENTS
	atSubmissions, atCompletions, atEntries = 0, 0x8000000, 0x10000000
	completionSize                          = 16
)

// entry is struct io_uring_sqe as far as it is used.
type entry struct {
	opcode, flags uint8
	_             uint16
	fd            int32
	_, addr       uint64
	length, open  uint32
	_             [4]uint64
}

// parameters is struct io_uring_params. What lies where in the two rings is in
// bytes from the ring's begin.
type parameters struct {
	submissions, completions uint32 // entries of the rings

	_   [8]uint32
	sub struct{ head, tail, mask, entries, flags, dropped, array, _, _, _ uint32 }
	com struct{ head, tail, mask, entries, overflow, entry, flags, _, _, _ uint32 }
}

// ring is an io_uring that takes one operation at a time.
type ring struct {
	fd            int
	at            parameters
	sub, com, sqe []byte // what the kernel shares
}

// uring opens a file and writes each text to it.
func uring(how uint8, a []string, flags uint32) (err error) {
	r, err := newRing()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	path, err := unix.BytePtrFromString(a[0])
	if err != nil {
		return err
	}
	fd, err := r.do(entry{opcode: opOpenat, flags: how, fd: unix.AT_FDCWD, length: 0o644, open: flags | unix.O_CLOEXEC}, path)
	if err != nil {
		return err
	}
	for _, text := range a[1:] {
		n, err := r.do(entry{opcode: opWrite, flags: how, fd: int32(fd), length: uint32(len(text))}, unsafe.StringData(text))
		if err = whole(n, len(text), err); err != nil {
			return err
		}
	}
	_, err = r.do(entry{opcode: opClose, fd: int32(fd)}, nil)
	return err
}

func newRing() (r *ring, err error) {
	r = &ring{}
	fd, _, errno := unix.Syscall(ringSetup, 1, uintptr(unsafe.Pointer(&r.at)), 0)
	if errno != 0 {
		return nil, errno
	}
	r.fd = int(fd)
	for _, part := range []struct {
		to           *[]byte
		offset, size int
	}{
		{&r.sub, atSubmissions, int(r.at.sub.array + 4*r.at.submissions)},
		{&r.com, atCompletions, int(r.at.com.entry + completionSize*r.at.completions)},
		{&r.sqe, atEntries, int(unsafe.Sizeof(entry{}))},
	} {
		*part.to, err = unix.Mmap(r.fd, int64(part.offset), part.size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			return nil, errors.Join(err, r.close())
		}
	}
	return r, nil
}

// do hands over one operation on the bytes at data and waits for its result.
func (r *ring) do(e entry, data *byte) (int, error) {
	var pinned runtime.Pinner
	defer pinned.Unpin()
	if data != nil {
		pinned.Pin(data) // the kernel reads it between two system calls
	}
	e.addr = uint64(uintptr(unsafe.Pointer(data)))
	*(*entry)(unsafe.Pointer(&r.sqe[0])) = e
	word(r.sub, r.at.sub.array).Store(0) // the only entry
	word(r.sub, r.at.sub.tail).Add(1)
	if _, _, errno := unix.Syscall6(ringEnter, uintptr(r.fd), 1, 1, awaitEvents, 0, 0); errno != 0 {
		return 0, errno
	}
	head := word(r.com, r.at.com.head)
	if head.Load() == word(r.com, r.at.com.tail).Load() {
		return 0, errors.New("io_uring_enter returned without a result")
	}
	slot := head.Load() & word(r.com, r.at.com.mask).Load()
	result := int32(word(r.com, r.at.com.entry+slot*completionSize+8).Load()) // struct io_uring_cqe: behind the data
	head.Add(1)
	if result < 0 {
		return 0, unix.Errno(-result)
	}
	return int(result), nil
}

func word(b []byte, at uint32) *atomic.Uint32 { return (*atomic.Uint32)(unsafe.Pointer(&b[at])) }

func (r *ring) close() error {
	errs := []error{unix.Close(r.fd)}
	for _, m := range [][]byte{r.sub, r.com, r.sqe} {
		if m != nil {
			errs = append(errs, unix.Munmap(m))
		}
	}
	return errors.Join(errs...)
}
