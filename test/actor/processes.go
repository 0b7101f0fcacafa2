// SPDX-License-Identifier: Apache-2.0

package main

import (
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
	at := uintptr(unsafe.Pointer(unsafe.SliceData(page)))
	if err := unix.Prctl(unix.PR_SET_MM, unix.PR_SET_MM_ARG_START, at, 0, 0); errors.Is(err, unix.EPERM) {
		return nil
	} else if err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_MM, unix.PR_SET_MM_ARG_END, at+16, 0, 0)
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
