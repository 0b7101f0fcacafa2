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
	case "debugfs":
		return unix.Mount("fim", s[1], "debugfs", 0, "")
	case "rbind":
		return unix.Mount(s[1], s[2], "", unix.MS_BIND|unix.MS_REC, "")
	case "move":
		return unix.Mount(s[1], s[2], "", unix.MS_MOVE, "")
	case "move_mount":
		return unix.MoveMount(unix.AT_FDCWD, s[1], unix.AT_FDCWD, s[2], 0)
	case "copy":
		tree, err := unix.OpenTree(unix.AT_FDCWD, s[1], unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
		if err != nil {
			return err
		}
		defer unix.Close(tree)
		return unix.MoveMount(tree, "", unix.AT_FDCWD, s[2], unix.MOVE_MOUNT_F_EMPTY_PATH)
	case "fsopen":
		return attachNew(s[1])
	case "share":
		return unix.Mount("none", s[1], "", unix.MS_SHARED, "")
	case "unshare": // the mount namespace; what is shared stays so
		return unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS)
	case "alone": // nothing is shared any more
		return unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
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

// attachNew mounts a new filesystem the new way.
func attachNew(target string) error {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return fmt.Errorf("fsopen: %w", err)
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return fmt.Errorf("fsconfig: %w", err)
	}
	tree, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("fsmount: %w", err)
	}
	defer unix.Close(tree)
	return unix.MoveMount(tree, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH)
}

func init() { actors["mounter"] = mounter }
