// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// flagLetters are the inode flags that scenarios set, by their letters in
// chattr(1): as FS_IOC_SETFLAGS has them (FS_…_FL of linux/fs.h), and as
// FS_IOC_FSSETXATTR has them (FS_XFLAG_…).
var flagLetters = map[rune][2]uint32{
	'i': {0x10, 0x08}, // immutable
	'a': {0x20, 0x10}, // append only
	'd': {0x40, 0x80}, // no dump
	'A': {0x80, 0x40}, // no access times
	'S': {0x08, 0x20}, // synchronous
}

// change sets or clears the flags of "+ia" or "-ia" in flags, whose numbers
// are those of a column of the table.
func change(flags *uint32, text string, column int) error {
	if text == "" || text[0] != '+' && text[0] != '-' {
		return fmt.Errorf("%q: want + or - and letters", text)
	}
	for _, letter := range text[1:] {
		flag, ok := flagLetters[letter]
		if !ok {
			return fmt.Errorf("%q: no flag %q", text, letter)
		}
		if text[0] == '+' {
			*flags |= flag[column]
		} else {
			*flags &^= flag[column]
		}
	}
	return nil
}

// chattr changes a file's flags as chattr(1) does.
func chattr(a []string) error {
	return with(a[1], unix.O_RDONLY|unix.O_NONBLOCK, func(fd int) error {
		flags, err := unix.IoctlGetUint32(fd, unix.FS_IOC_GETFLAGS)
		if err != nil {
			return err
		}
		if err := change(&flags, a[0], 0); err != nil {
			return err
		}
		return unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, int(flags))
	})
}

// fsxattr changes them on the road that xfs made: a struct fsxattr of linux/fs.h,
// which begins with the flags.
func fsxattr(a []string) error {
	const get, set = 0x801c581f, 0x401c5820
	return with(a[1], unix.O_RDONLY|unix.O_NONBLOCK, func(fd int) error {
		var attr [7]uint32
		call := func(request uintptr) error {
			_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(&attr)))
			if errno != 0 {
				return errno
			}
			return nil
		}
		if err := call(get); err != nil {
			return err
		}
		if err := change(&attr[0], a[0], 1); err != nil {
			return err
		}
		return call(set)
	})
}
