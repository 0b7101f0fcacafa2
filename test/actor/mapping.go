// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// mappingSteps map files into memory.
var mappingSteps = []step{
	{"mmap", "FLAGS PROT shared|private PATH", mmap},
	{"mmap-store", "PATH TEXT", func(a []string) error {
		return store(a, unix.PROT_READ|unix.PROT_WRITE, nil)
	}},
	{"mprotect-store", "PATH TEXT", func(a []string) error {
		return store(a, unix.PROT_READ, func(m []byte) error { return unix.Mprotect(m, unix.PROT_READ|unix.PROT_WRITE) })
	}},
}

// mapped is how many bytes a step that changes nothing maps.
const mapped = 1

// mmap opens a file with FLAGS, as step open does, and maps it with PROT, as in
// "read|write".
func mmap(a []string) error {
	flags, err := openFlags(a[0])
	if err != nil {
		return err
	}
	names := map[string]int{"none": unix.PROT_NONE, "read": unix.PROT_READ, "write": unix.PROT_WRITE, "exec": unix.PROT_EXEC}
	prot := 0
	for name := range strings.SplitSeq(a[1], "|") {
		p, ok := names[name]
		if !ok {
			return fmt.Errorf("no protection %q", name)
		}
		prot |= p
	}
	kinds := map[string]int{"shared": unix.MAP_SHARED, "private": unix.MAP_PRIVATE}
	if kinds[a[2]] == 0 {
		return fmt.Errorf("no kind of mapping %q", a[2])
	}
	return with(a[3], flags, func(fd int) error {
		m, err := unix.Mmap(fd, 0, mapped, prot, kinds[a[2]])
		if err != nil {
			return err
		}
		return unix.Munmap(m)
	})
}

// store changes the first bytes of a file through a shared mapping, made
// writable by then unless it is nil, and waits until the change is in the file.
func store(a []string, prot int, then func(m []byte) error) error {
	return with(a[0], unix.O_RDWR, func(fd int) error {
		m, err := unix.Mmap(fd, 0, len(a[1]), prot, unix.MAP_SHARED)
		if err != nil {
			return err
		}
		if then != nil {
			if err := then(m); err != nil {
				return err
			}
		}
		copy(m, a[1])
		return errors.Join(unix.Msync(m, unix.MS_SYNC), unix.Munmap(m))
	})
}
