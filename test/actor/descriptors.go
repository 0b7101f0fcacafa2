// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// descriptorSteps work on one descriptor that is held from step to step: it is
// opened by path or by handle, written to, given to another process, closed.
var descriptorSteps = []step{
	{"fd-open", "FLAGS PATH", fdOpen},
	{"fd-write", "TEXT", func(a []string) error { return writeAll(a)(held) }},
	{"fd-truncate", "SIZE", func(a []string) error {
		return sized(a[0], func(n int64) error { return unix.Ftruncate(held, n) })
	}},
	{"fd-close", "", func([]string) error { return unix.Close(held) }},
	{"fd-send", "SOCKET", fdSend},
	{"fd-receive", "SOCKET", fdReceive},
	{"spawn", "STEP...", spawn},
	{"handle", "PATH", handle},
	{"fd-open-handle", "FLAGS MOUNT", fdOpenHandle},
}

// held is the descriptor of the steps fd-….
var held = -1

// heldBy is the variable that tells a spawned actor which descriptor it holds.
const heldBy = "ACTOR_HELD"

// inherit takes over the descriptor that a spawning actor hands down.
func inherit() {
	if n, err := strconv.Atoi(os.Getenv(heldBy)); err == nil {
		held = n
	}
}

func fdOpen(a []string) error {
	flags, err := openFlags(a[0])
	if err != nil {
		return err
	}
	held, err = unix.Open(a[1], flags|unix.O_CLOEXEC, 0o644)
	return err
}

// spawn runs steps in a child process that inherits the held descriptor, and
// waits for its end. The child ends at the next separator.
func spawn(a []string) error {
	child, err := syscall.ForkExec("/proc/self/exe", append([]string{"actor"}, a...), &syscall.ProcAttr{
		Env: []string{heldBy + "=3"}, Files: []uintptr{0, 1, 2, uintptr(held)},
	})
	if err != nil {
		return err
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(child, &status, 0, nil); err != nil {
		return err
	}
	if status != 0 {
		return fmt.Errorf("process %d ended with status %#x", child, status)
	}
	return nil
}

// fdReceive makes a socket at a path and takes the descriptor that arrives
// there; see SCM_RIGHTS in unix(7).
func fdReceive(a []string) error {
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	if err := unix.Bind(socket, &unix.SockaddrUnix{Name: a[0]}); err != nil {
		return err
	}
	data, rights := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(socket, data, rights, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return err
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil || len(messages) != 1 {
		return fmt.Errorf("%d control messages: %w", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return fmt.Errorf("%d descriptors: %w", len(fds), err)
	}
	held = fds[0]
	return nil
}

// fdSend gives the held descriptor to who receives at a path, as soon as he
// does.
func fdSend(a []string) error {
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	for {
		err := unix.Sendmsg(socket, []byte{0}, unix.UnixRights(held), &unix.SockaddrUnix{Name: a[0]}, 0)
		if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ECONNREFUSED) {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

// taken is the file handle of step handle.
var taken unix.FileHandle

// handle remembers a file by its handle, which finds it wherever it is moved;
// see open_by_handle_at(2).
func handle(a []string) (err error) {
	taken, _, err = unix.NameToHandleAt(unix.AT_FDCWD, a[0], 0)
	return err
}

// fdOpenHandle opens the file of the handle, by way of a mount of its
// filesystem and of no name.
func fdOpenHandle(a []string) error {
	flags, err := openFlags(a[0])
	if err != nil {
		return err
	}
	return with(a[1], unix.O_RDONLY|unix.O_DIRECTORY, func(mount int) error {
		held, err = unix.OpenByHandleAt(mount, taken, flags|unix.O_CLOEXEC)
		return err
	})
}
