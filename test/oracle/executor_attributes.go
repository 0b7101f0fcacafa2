// SPDX-License-Identifier: Apache-2.0

package oracle

import "golang.org/x/sys/unix"

func (*executor) chmod(c Call) ([]Fact, error) {
	modes := []uint32{0o644, 0o600, 0o755, 0o777, 0o444}
	return changed("chmod", c, unix.Fchmodat(unix.AT_FDCWD, c.A, modes[c.N%len(modes)], 0))
}

func (*executor) chown(c Call) ([]Fact, error) {
	ids := []int{0, 1, nobody}
	return changed("chown", c, unix.Lchown(c.A, ids[c.N%3], ids[c.N/3%3]))
}

func (*executor) utimes(c Call) ([]Fact, error) {
	at := unix.NsecToTimespec(int64(c.N) * 1e9)
	return changed("utimes", c, unix.UtimesNanoAt(unix.AT_FDCWD, c.A, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW))
}

// xattrs are few: a name that is set may be there already.
var xattrs = []string{"trusted.one", "trusted.two", "user.three"}

func (*executor) setxattr(c Call) ([]Fact, error) {
	flags := []int{0, 0, unix.XATTR_CREATE, unix.XATTR_REPLACE}[c.N/3%4]
	return changed("setxattr", c, unix.Lsetxattr(c.A, xattrs[c.N%3], []byte{byte(c.N)}, flags))
}

func (*executor) removexattr(c Call) ([]Fact, error) {
	return changed("removexattr", c, unix.Lremovexattr(c.A, xattrs[c.N%3]))
}
