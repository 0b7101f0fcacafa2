// SPDX-License-Identifier: Apache-2.0

package oracle

import "golang.org/x/sys/unix"

// chmod may be nothing where the mode is not what was asked for then: vfat says yes to one that
// it cannot keep, and ignores it or keeps a part.
func (*executor) chmod(c Call) ([]Fact, error) {
	mode := []uint32{0o644, 0o600, 0o755, 0o777, 0o444}[c.N%5]
	facts, err := changed("chmod", c, unix.Fchmodat(unix.AT_FDCWD, c.A, mode, 0))
	if err == nil {
		facts[0].Maybe = facts[0].File.Mode&0o7777 != mode
	}
	return facts, err
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
