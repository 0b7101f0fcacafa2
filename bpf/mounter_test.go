// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// mounter is an actor whose steps may also change what is mounted in this mount
// namespace.
func mounter(steps []string) error {
	for _, s := range steps {
		if err := remount(strings.Split(s, "\x1f")); err != nil {
			return fmt.Errorf("%q: %w", s, err)
		}
	}
	return nil
}

// remount takes one such step, or any other.
func remount(s []string) error {
	switch s[0] {
	case "hostbind":
		return unix.Mount(s[1], s[2], "", unix.MS_BIND, "")
	case "tmpfs":
		return unix.Mount("fim", s[1], "tmpfs", 0, "")
	case "umount":
		return unix.Unmount(s[1], 0)
	case "detach":
		return unix.Unmount(s[1], unix.MNT_DETACH)
	case "chdir":
		return unix.Chdir(s[1])
	default:
		return act(s)
	}
}

func init() { actors["mounter"] = mounter }
