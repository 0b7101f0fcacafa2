// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// processSteps change who acts, when, or where. A step exec is the last one: from
// there on the process is another program.
var processSteps = []step{
	{"as", "UID", as},
	{"effective", "UID", effective},
	{"login", "UID", func(a []string) error { return os.WriteFile("/proc/self/loginuid", []byte(a[0]), 0) }},
	{"session", "", func([]string) error { _, err := unix.Setsid(); return err }},
	{"enter", "CGROUP", func(a []string) error { return os.WriteFile(a[0]+"/cgroup.procs", []byte("0"), 0) }},
	{"await", "PATH", await},
	{"pause", "", func([]string) error { return unix.Pause() }},
	{"chdir", "PATH", func(a []string) error { return unix.Chdir(a[0]) }},
	{"dive", "NAME COUNT", dive},
	{"hide-arguments", "", hideArguments},
	{"swap-arguments", "", swapArguments},
	{"exec", "PATH", func(a []string) error { return unix.Exec(a[0], a, nil) }},
}

// as gives up every privilege for the steps that follow, for good.
func as(a []string) error {
	id, err := strconv.Atoi(a[0])
	if err != nil {
		return err
	}
	if err := unix.Setgroups(nil); err != nil {
		return err
	}
	if err := unix.Setresgid(id, id, id); err != nil {
		return err
	}
	return unix.Setresuid(id, id, id)
}

// effective is what a set-user-ID program does: the real ids stay.
func effective(a []string) error {
	id, err := strconv.Atoi(a[0])
	if err != nil {
		return err
	}
	if err := unix.Setresgid(-1, id, -1); err != nil {
		return err
	}
	return unix.Setresuid(-1, id, -1)
}

// awaiting is longer than any guest takes, and shorter than a test run.
const awaiting = 30 * time.Minute

// await waits until something is at a path, by looking, which no backend
// reports.
func await(a []string) error {
	for end := time.Now().Add(awaiting); time.Now().Before(end); {
		_, err := os.Lstat(a[0])
		if !errors.Is(err, os.ErrNotExist) {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("nothing is at %q after %s", a[0], awaiting)
}

// hideArguments says that the arguments lie in memory that nobody can read, where the
// kernel lets it: that takes CAP_SYS_RESOURCE. See PR_SET_MM_ARG_START(2const).
func hideArguments([]string) error {
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return err
	}
	if err := argumentsAt(page); !errors.Is(err, unix.EPERM) {
		return err
	}
	return nil
}

// argumentsAt says that the arguments are the first 20 bytes there.
func argumentsAt(page []byte) error {
	at := uintptr(unsafe.Pointer(unsafe.SliceData(page)))
	if err := unix.Prctl(unix.PR_SET_MM, unix.PR_SET_MM_ARG_START, at, 0, 0); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_MM, unix.PR_SET_MM_ARG_END, at+20, 0, 0)
}

// swapArguments puts the arguments into memory of their own and returns when the kernel
// has swapped that out.
func swapArguments([]string) error {
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return err
	}
	copy(page, "swapped\x00out\x00forlong\x00")
	if err := argumentsAt(page); err != nil {
		return err
	}
	for range 1000 {
		if err := unix.Madvise(page, unix.MADV_PAGEOUT); err != nil {
			return fmt.Errorf("page out: %w", err)
		}
		if out, err := swapped(page); out || err != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return errors.New("the kernel does not swap the page out")
}

// swapped says whether the page is in swap, see Documentation/admin-guide/mm/pagemap.rst.
func swapped(page []byte) (bool, error) {
	const size, inSwap = 8, 1 << 62
	pages, err := os.Open("/proc/self/pagemap")
	if err != nil {
		return false, err
	}
	defer pages.Close()
	entry := make([]byte, size)
	at := int64(uintptr(unsafe.Pointer(unsafe.SliceData(page)))) / int64(os.Getpagesize()) * size
	if _, err := pages.ReadAt(entry, at); err != nil {
		return false, err
	}
	return binary.NativeEndian.Uint64(entry)&inSwap != 0, nil
}

// dive makes a directory, unless it is there, and goes into it, COUNT times: to where no path leads
// that a system call would take.
func dive(a []string) error {
	count, err := strconv.Atoi(a[1])
	if err != nil {
		return err
	}
	for range count {
		if err := unix.Mkdir(a[0], 0o755); err != nil && !errors.Is(err, unix.EEXIST) {
			return err
		}
		if err := unix.Chdir(a[0]); err != nil {
			return err
		}
	}
	return nil
}
