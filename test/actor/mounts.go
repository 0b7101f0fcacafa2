// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// mountSteps change where filesystems are seen. Whoever runs them gives the
// actor a mount namespace of its own and cleans up.
var mountSteps = []step{
	{"mount-bind", "FROM TO", func(a []string) error { return unix.Mount(a[0], a[1], "", unix.MS_BIND, "") }},
	{"mount-tmpfs", "PATH", func(a []string) error { return unix.Mount("tmpfs", a[0], "tmpfs", 0, "mode=755") }},
	{"umount", "PATH", func(a []string) error { return unix.Unmount(a[0], 0) }},
}

// processSteps change who acts, or when.
var processSteps = []step{
	{"as", "UID", as},
	{"await", "PATH", await},
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

// await waits until something is at a path, by looking, which no backend
// reports.
func await(a []string) error {
	for {
		_, err := os.Lstat(a[0])
		if !errors.Is(err, os.ErrNotExist) {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}
