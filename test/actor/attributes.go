// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// attributeSteps change what a file is said to be, not what is in it.
var attributeSteps = []step{
	{"chmod", "MODE PATH", func(a []string) error {
		return mode(a[0], func(m uint32) error { return unix.Chmod(a[1], m) })
	}},
	{"fchmod", "MODE PATH", func(a []string) error {
		return mode(a[0], func(m uint32) error {
			return with(a[1], unix.O_RDONLY, func(fd int) error { return unix.Fchmod(fd, m) })
		})
	}},
	{"fchmodat2", "MODE PATH", func(a []string) error {
		return mode(a[0], func(m uint32) error { // which flags make it: fchmodat(2) has none
			return unix.Fchmodat(unix.AT_FDCWD, a[1], m, unix.AT_SYMLINK_NOFOLLOW)
		})
	}},
	{"chown", "UID GID PATH", func(a []string) error {
		return ids(a, func(uid, gid int) error { return unix.Chown(a[2], uid, gid) })
	}},
	{"fchown", "UID GID PATH", func(a []string) error {
		return ids(a, func(uid, gid int) error {
			return with(a[2], unix.O_RDONLY, func(fd int) error { return unix.Fchown(fd, uid, gid) })
		})
	}},
	{"lchown", "UID GID PATH", func(a []string) error {
		return ids(a, func(uid, gid int) error { return unix.Lchown(a[2], uid, gid) })
	}},
	{"utimes", "SECONDS PATH", func(a []string) error { return setTimes(a, unix.Timespec{}) }},
	{"mtime", "SECONDS PATH", func(a []string) error {
		return setTimes(a, unix.Timespec{Nsec: unix.UTIME_OMIT})
	}},
	{"setxattr", "NAME VALUE PATH [create|replace]", setxattr},
	{"removexattr", "NAME PATH", func(a []string) error { return unix.Removexattr(a[1], a[0]) }},
	{"setacl", "access|default LIST PATH", func(a []string) error {
		list, err := parseACL(a[1])
		if err != nil {
			return err
		}
		return unix.Setxattr(a[2], aclPrefix+a[0], list, 0)
	}},
	{"removeacl", "access|default PATH", func(a []string) error { return unix.Removexattr(a[1], aclPrefix+a[0]) }},
	{"getacl", "access|default PATH", getacl},
	{"chattr", "+LETTERS|-LETTERS PATH", chattr},
	{"fsxattr", "+LETTERS|-LETTERS PATH", fsxattr},
}

// setxattr has flags that say whether the attribute must be there already.
func setxattr(a []string) error {
	flags := 0
	if len(a) == 4 {
		known := map[string]int{"create": unix.XATTR_CREATE, "replace": unix.XATTR_REPLACE}
		if flags = known[a[3]]; flags == 0 {
			return fmt.Errorf("no flag %q of setxattr", a[3])
		}
	}
	return unix.Setxattr(a[2], a[0], []byte(a[1]), flags)
}

// mode reads an octal mode for do.
func mode(text string, do func(uint32) error) error {
	m, err := strconv.ParseUint(text, 8, 12)
	if err != nil {
		return err
	}
	return do(uint32(m))
}

// ids reads a user and a group id for do; -1 leaves one as it is, see chown(2).
func ids(a []string, do func(uid, gid int) error) error {
	uid, err := strconv.Atoi(a[0])
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(a[1])
	if err != nil {
		return err
	}
	return do(uid, gid)
}

// setTimes sets the modification time of a file, and the access time to the
// same unless that is UTIME_OMIT.
func setTimes(a []string, access unix.Timespec) error {
	return sized(a[0], func(sec int64) error {
		access.Sec = sec
		times := []unix.Timespec{access, {Sec: sec}}
		return unix.UtimesNanoAt(unix.AT_FDCWD, a[1], times, unix.AT_SYMLINK_NOFOLLOW)
	})
}
