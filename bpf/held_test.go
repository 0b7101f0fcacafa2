// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func init() { actors["held"] = held }

// held is an actor whose second argument is a step that waits, in the midst of it, for the
// lock of the file that is the first. The third is a step that another thread takes
// meanwhile, and the fourth one that the thread of the second takes when that is over.
func held(args []string) error {
	release, err := lockInode(args[0])
	if err != nil {
		return err
	}
	tid, done := make(chan int), make(chan error)
	go func() {
		runtime.LockOSThread()
		tid <- unix.Gettid()
		done <- errors.Join(act(strings.Split(args[1], "\x1f")), act(strings.Split(args[3], "\x1f")))
	}()
	if err := waitUntilBlocked(<-tid); err != nil {
		return err
	}
	if err := act(strings.Split(args[2], "\x1f")); err != nil {
		return err
	}
	return errors.Join(release(), <-done)
}

// waitUntilBlocked returns when a thread of this process waits for a lock in the kernel; see
// proc_pid_stat(5).
func waitUntilBlocked(tid int) error {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/stat", tid))
		if err != nil {
			return err
		}
		if bytes.Contains(text, []byte(") D ")) {
			return nil
		}
	}
	return errors.New("the step does not wait")
}

// What lockInode needs of userfaultfd(2), see include/uapi/linux/userfaultfd.h.
type (
	uffdAPI      struct{ api, features, ioctls uint64 }
	uffdRegister struct{ start, length, mode, ioctls uint64 }
	uffdZero     struct {
		start, length, mode uint64
		zeroed              int64
	}
)

const (
	uffdioAPI      = 0xc018aa3f
	uffdioRegister = 0xc020aa00
	uffdioZeropage = 0xc020aa04
	uffdMissing    = 1
	uffdVersion    = 0xaa
)

func ioctl(fd int, request uintptr, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg)); errno != 0 {
		return fmt.Errorf("ioctl %#x of userfaultfd: %w", request, errno)
	}
	return nil
}

// lockInode holds the lock of a file, by a write(2) whose buffer is a page that is not there
// until release is called; of a directory, by getdents64(2).
func lockInode(path string) (release func() error, err error) {
	n, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC, 0, 0)
	if errno != 0 {
		return nil, fmt.Errorf("userfaultfd: %w", errno)
	}
	faults := int(n)
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, err
	}
	start, length := uint64(uintptr(unsafe.Pointer(&page[0]))), uint64(len(page))
	call := unix.Write
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.EISDIR) {
		call = unix.Getdents
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	}
	if err := errors.Join(err, ioctl(faults, uffdioAPI, unsafe.Pointer(&uffdAPI{api: uffdVersion})),
		ioctl(faults, uffdioRegister, unsafe.Pointer(&uffdRegister{start: start, length: length, mode: uffdMissing}))); err != nil {
		return nil, err
	}
	written := make(chan error)
	go func() {
		_, err := call(fd, page)
		written <- errors.Join(err, unix.Close(fd))
	}()
	var message [32]byte // struct uffd_msg: the only one is of that page
	if _, err := unix.Read(faults, message[:]); err != nil {
		return nil, err
	}
	return func() error {
		return errors.Join(ioctl(faults, uffdioZeropage, unsafe.Pointer(&uffdZero{start: start, length: length})), <-written)
	}, nil
}

// An operation that begins in a watched directory and ends when that has been moved out is
// none in it, and nothing is lost. Phase one kept its mount all the same.
func TestAnOperationThatEndsElsewhereIsNoLoss(t *testing.T) {
	dir := t.TempDir()
	b := openBlind(t, "", filepath.Join(dir, "*/in"))
	var want []string
	for i, row := range []struct {
		holds string
		step  func(in func(string) string) string
	}{
		{"out/f", func(in func(string) string) string { return step("link", in("out/f"), in("in/a/b/g")) }},
		{"in/a/b/f", func(in func(string) string) string { return step("rename", in("in/a/b/f"), in("in/a/b/g")) }},
		{"in/a/b/full", func(in func(string) string) string {
			return step("refused", "rename", in("in/a/b/d"), in("in/a/b/full"))
		}},
		{"in/a/b/d", func(in func(string) string) string { return step("rmdir", in("in/a/b/d")) }},
		{"in/a/b/f", func(in func(string) string) string { return step("unlink", in("in/a/b/f")) }},
	} {
		of := fmt.Sprint(i)
		in := func(name string) string { return filepath.Join(dir, of, name) }
		if out, err := actor("steps", step("mkdir", in("")), step("mkdir", in("out")), step("mknod", in("out/f")), step("mkdir", in("in")),
			step("mkdir", in("in/a")), step("mkdir", in("in/a/b")), step("mknod", in("in/a/b/f")), step("mkdir", in("in/a/b/d")),
			step("mkdir", in("in/a/b/full")), step("mkdir", in("in/a/b/full/d"))).Output(); err != nil {
			t.Fatalf("the actor failed: %v %s", err, out)
		}
		if out, err := actor("held", in(row.holds), row.step(in), step("rename", in("in/a"), in("out/a")), step("mkdir", in("in/z"))).Output(); err != nil {
			t.Fatalf("the actor failed: %v %s", err, out)
		}
		for _, told := range []string{"mkdir %s/in", "mkdir %s/in/a", "mkdir %s/in/a/b", "mkdir %s/in/a/b/d", "mkdir %s/in/a/b/full",
			"mkdir %s/in/a/b/full/d", "rename %[1]s/out/a from %[1]s/in/a", "mkdir %s/in/z"} {
			want = append(want, fmt.Sprintf(told, of))
		}
	}
	equal(t, lines(observe(t, b, filepath.Join(dir, "0/in/end")), dir), want)
}
