// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// subvolumeSteps make and remove subvolumes of btrfs, as btrfs-subvolume(8) does.
var subvolumeSteps = []step{
	{"subvolume", "PATH", func(a []string) error { return subvolume(subvolumeCreate, a[0], 0) }},
	{"snapshot", "FROM TO", func(a []string) error {
		return with(a[0], unix.O_RDONLY|unix.O_DIRECTORY, func(from int) error { return subvolume(snapshotCreate, a[1], from) })
	}},
	{"subvolume-delete", "PATH", func(a []string) error { return subvolume(snapshotDestroy, a[0], 0) }},
}

// The requests BTRFS_IOC_… of linux/btrfs.h.
const (
	snapshotCreate  = 0x50009401
	subvolumeCreate = 0x5000940e
	snapshotDestroy = 0x5000940f
)

// subvolume asks the directory above path to do that; from is what a snapshot is
// made of. See struct btrfs_ioctl_vol_args.
func subvolume(request uintptr, path string, from int) error {
	var args struct {
		fd   int64
		name [4088]byte
	}
	args.fd = int64(from)
	if name := filepath.Base(path); copy(args.name[:len(args.name)-1], name) < len(name) {
		return fmt.Errorf("%q: too long", name)
	}
	return with(filepath.Dir(path), unix.O_RDONLY|unix.O_DIRECTORY, func(dir int) error {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(dir), request, uintptr(unsafe.Pointer(&args)))
		if errno != 0 {
			return errno
		}
		return nil
	})
}
