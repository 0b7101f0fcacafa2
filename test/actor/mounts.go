// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// mountSteps change where filesystems are seen, and how: forget is a remount
// without a change, which makes the kernel forget the names that nobody uses. After
// unshare the mounts are those of this process alone, where they are not shared, and
// after alone none is.
// Whoever runs them gives the actor a mount namespace of its own and cleans up.
var mountSteps = []step{
	{"mount-bind", "FROM TO", func(a []string) error { return unix.Mount(a[0], a[1], "", unix.MS_BIND, "") }},
	{"mount-tmpfs", "PATH", func(a []string) error { return unix.Mount("tmpfs", a[0], "tmpfs", 0, "mode=755") }},
	{"mount-overlay", "LAYERS PATH", mountOverlay},
	{"mount-cgroup", "PATH", func(a []string) error { return unix.Mount("cgroup2", a[0], "cgroup2", 0, "") }},
	{"mount-idmapped", "FROM TO ID", mountIdmapped},
	{"mount-readonly", "PATH", func(a []string) error {
		return unix.Mount("", a[0], "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, "")
	}},
	{"forget", "MOUNT", func(a []string) error { return unix.Mount("", a[0], "", unix.MS_REMOUNT, "") }},
	{"mount-move", "FROM TO", func(a []string) error { return unix.MoveMount(unix.AT_FDCWD, a[0], unix.AT_FDCWD, a[1], 0) }},
	{"mount-shared", "PATH", func(a []string) error { return unix.Mount("", a[0], "", unix.MS_SHARED, "") }},
	{"umount", "PATH", func(a []string) error { return unix.Unmount(a[0], 0) }},
	{"umount-lazy", "PATH", func(a []string) error { return unix.Unmount(a[0], unix.MNT_DETACH) }},
	{"unshare", "", func([]string) error { return unix.Unshare(unix.CLONE_NEWNS) }},
	{"alone", "", func([]string) error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") }},
	{"pivot-root", "NEW OLD", func(a []string) error { return unix.PivotRoot(a[0], a[1]) }},
	{"chdir-copy", "PATH", chdirCopy},
	{"chdir-new", "", chdirNew},
}

// chdirCopy goes into a mount that shows the same as the one at a path, and is mounted
// nowhere; see open_tree(2).
func chdirCopy(a []string) error {
	tree, err := unix.OpenTree(unix.AT_FDCWD, a[0], unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return err
	}
	return errors.Join(unix.Fchdir(tree), unix.Close(tree))
}

// chdirNew goes into a new filesystem in memory that is mounted nowhere; see fsmount(2).
func chdirNew([]string) error {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return err
	}
	tree, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return errors.Join(unix.Fchdir(tree), unix.Close(tree))
}

// mountOverlay mounts the layers lower, upper and work of a directory.
func mountOverlay(a []string) error {
	layers, err := filepath.Abs(a[0])
	if err != nil {
		return err
	}
	return unix.Mount("overlay", a[1], "overlay", 0, fmt.Sprintf("lowerdir=%[1]s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work", layers))
}

// mountIdmapped shows a directory at another place, where the owners 0, 1, 2, …
// appear as ID, ID+1, ID+2, …; see MOUNT_ATTR_IDMAP in mount_setattr(2).
func mountIdmapped(a []string) error {
	id, err := strconv.Atoi(a[2])
	if err != nil {
		return err
	}
	ids, end, err := mapping(id)
	if end != nil {
		defer end()
	}
	if err != nil {
		return err
	}
	tree, err := unix.OpenTree(unix.AT_FDCWD, a[0], unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(ids.Fd())}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		return err
	}
	return unix.MoveMount(tree, "", unix.AT_FDCWD, a[1], unix.MOVE_MOUNT_F_EMPTY_PATH)
}

// mapping opens a user namespace that maps 0, 1, 2, … to id, id+1, id+2, …: that
// of a process which does nothing until end.
func mapping(id int) (ids *os.File, end func(), err error) {
	ranges := []syscall.SysProcIDMap{{ContainerID: 0, HostID: id, Size: 65536}}
	holder := exec.Command("/proc/self/exe", "pause")
	holder.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ranges, GidMappings: ranges, Pdeathsig: syscall.SIGKILL,
	}
	if err := holder.Start(); err != nil {
		return nil, nil, err
	}
	ids, err = os.Open(fmt.Sprintf("/proc/%d/ns/user", holder.Process.Pid))
	return ids, func() {
		ids.Close()
		holder.Process.Kill()
		holder.Wait()
	}, err
}
