// SPDX-License-Identifier: Apache-2.0

package main

import (
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
	{"setxattr", "NAME VALUE PATH", func(a []string) error {
		return unix.Setxattr(a[2], a[0], []byte(a[1]), 0)
	}},
	{"removexattr", "NAME PATH", func(a []string) error { return unix.Removexattr(a[1], a[0]) }},
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
