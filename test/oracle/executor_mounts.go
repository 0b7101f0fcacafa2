// SPDX-License-Identifier: Apache-2.0

package oracle

import "golang.org/x/sys/unix"

func (*executor) bind(c Call) ([]Fact, error) {
	return attached(c, unix.Mount(c.A, c.B, "", unix.MS_BIND, ""))
}

func (*executor) tmpfs(c Call) ([]Fact, error) {
	return attached(c, unix.Mount("tmpfs", c.B, "tmpfs", 0, "mode=755"))
}

// attached is the fact that something was mounted at B, as what is to be seen there then.
func attached(c Call, err error) ([]Fact, error) {
	if err != nil {
		return nil, err
	}
	st, _ := lstat(c.B)
	return []Fact{{Op: "mount", At: atB, File: st, Size: unsized, Old: unsized}}, nil
}

func (*executor) umount(c Call) ([]Fact, error) {
	st, _ := lstat(c.B)
	flags := unix.UMOUNT_NOFOLLOW
	if c.Lazily {
		flags |= unix.MNT_DETACH
	}
	if err := unix.Unmount(c.B, flags); err != nil {
		return nil, err
	}
	return []Fact{{Op: "umount", At: atB, File: st, Size: unsized, Old: unsized}}, nil
}
