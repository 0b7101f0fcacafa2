// SPDX-License-Identifier: Apache-2.0

package source

import (
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/strays"
)

// newFollow returns the table of what was moved out, if that is to be followed.
func newFollow(s setup) *strays.Table {
	if !s.follow {
		return nil
	}
	return strays.New()
}

// statOn returns what a path on the host shows, whose root is mounted at root.
func statOn(root string) func(path []byte) (dev, inode uint64) {
	return func(path []byte) (dev, inode uint64) {
		var st unix.Stat_t
		if unix.Lstat(filepath.Join(root, string(path)), &st) != nil {
			return 0, 0
		}
		return st.Dev, st.Ino
	}
}
