// SPDX-License-Identifier: Apache-2.0

package fanotify

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

// filesystem is one that is marked. It holds no descriptor: that would keep the
// filesystem from being unmounted. A mount is opened for each look-up.
type filesystem struct {
	fsid   [fsidLen]byte
	dev    uint64 // as in the mount table, which is not st_dev on btrfs
	fstype string
	// doors are the mounts through which handles can be opened, those that
	// show most of the filesystem first.
	doors []door
	// narrowed says that one of them went of late.
	narrowed bool
	// stat is the st_dev of each btrfs subvolume; others have the one of key 0.
	stat map[uint64]uint64
	// decodes says, by handle type, whether the inode number that inodeOf
	// reads is the one that stat(2) shows.
	decodes map[int32]bool
}

// door is a mount by which a filesystem can be entered.
type door struct {
	path string // where we find it; not always its path on the host
	root string // the path inside the filesystem that is its root
	id   uint64 // mount id, see statx(2)
}

// object is what stat(2) tells of a file, now.
type object struct {
	inode, dev uint64
	kind       event.Type
	links      uint64
}

// enter opens the mount's root and makes sure that it still is that one.
func (d *door) enter() (fd int, err error) {
	// open_by_handle_at(2) does not take a descriptor with O_PATH.
	fd, err = unix.Open(d.path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return -1, fmt.Errorf("open mount %s: %w", d.path, err)
	}
	if id, top, err := mountOf(fd); err != nil || id != d.id || !top {
		unix.Close(fd)
		return -1, fmt.Errorf("open mount %s: another mount is there now", d.path)
	}
	return fd, nil
}

// mountOf returns the id of the mount that fd is in, and whether it is its root.
func mountOf(fd int) (id uint64, top bool, err error) {
	var st unix.Statx_t
	err = unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_MNT_ID, &st)
	if err != nil {
		return 0, false, fmt.Errorf("statx: %w", err)
	}
	return st.Mnt_id, st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, nil
}

// open opens the object through this mount, for its name only, see O_PATH in
// open(2). ESTALE means that it does not exist any more.
func (d *door) open(r ref) (fd int, err error) {
	mount, err := d.enter()
	if err != nil {
		return -1, err
	}
	defer unix.Close(mount)
	kind, data := r.handle()
	return unix.OpenByHandleAt(mount, unix.NewFileHandle(kind, data), unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC)
}

// open opens the object through any mount.
func (f *filesystem) open(r ref) (fd int, err error) {
	err = unix.ENODEV
	for i := range f.doors {
		if fd, err = f.doors[i].open(r); err == nil || err == unix.ESTALE {
			return fd, err
		}
	}
	return -1, err
}

// look returns what stat(2) tells of the object.
func (f *filesystem) look(r ref) (object, error) {
	fd, err := f.open(r)
	if err != nil {
		return object{}, err
	}
	defer unix.Close(fd)
	return f.stat1(fd, r)
}

// stat1 is look for an object that is open; it learns from what it sees.
func (f *filesystem) stat1(fd int, r ref) (object, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return object{}, fmt.Errorf("stat: %w", err)
	}
	kind, data := r.handle()
	if _, ok := f.decodes[kind]; !ok {
		f.decodes[kind] = inodeOf(kind, data) == st.Ino
	}
	f.stat[subvolumeOf(kind, data)] = st.Dev
	return object{st.Ino, st.Dev, event.TypeOf(st.Mode), uint64(st.Nlink)}, nil
}

// decoded returns the inode number and st_dev of an object that need not exist
// any more, as far as its handle tells them: zero is not known.
func (f *filesystem) decoded(r ref) (inode, dev uint64) {
	kind, data := r.handle()
	if !f.decodes[kind] {
		return 0, 0
	}
	return inodeOf(kind, data), f.stat[subvolumeOf(kind, data)]
}

// where says where a directory is now.
type where struct {
	place
	kind kind
	gone bool // it does not exist any more
}

// tooLong is a name that no directory can hold: looking it up has no effect
// but to wait for the directory's lock.
var tooLong = strings.Repeat("x", unix.NAME_MAX+1)

// find looks up where the directory is now.
//
// A rename changes the tree first and queues its event afterwards, all while it
// holds the locks of both parents. So after the parent was read its lock is
// taken once, by looking up a name in it: when find returns, the event of every
// rename that it has seen is in the queue.
func (f *filesystem) find(dir ref) where {
	barred := f.narrowed
	for i := range f.doors {
		fd, err := f.doors[i].open(dir)
		if err == unix.ESTALE {
			return where{kind: unknown, gone: true}
		}
		if err != nil {
			barred = true
			continue // this mount went away: try another
		}
		w, inside := f.findOpen(fd, dir, &f.doors[i])
		unix.Close(fd)
		if inside {
			return w
		}
	}
	if barred {
		return where{kind: shut}
	}
	return where{kind: hidden}
}

// findOpen is find for a directory that is open; inside is false when it is not
// below the root of the mount, or something is mounted over its parent there: ".." leads
// into that.
func (f *filesystem) findOpen(fd int, dir ref, d *door) (w where, inside bool) {
	o, err := f.stat1(fd, dir)
	if err != nil {
		return where{kind: unknown}, true
	}
	if o.links == 0 {
		return where{kind: unknown, gone: true}, true
	}
	id, top, err := mountOf(fd)
	if err != nil || top {
		return where{place: place{name: d.root}, kind: anchor}, err == nil
	}
	parent, over, err := unix.NameToHandleAt(fd, "..", 0)
	switch {
	case err == unix.ENOENT: // see path_connected() of fs/namei.c
		return where{}, false
	case err == unix.EOPNOTSUPP, err == nil && uint64(over) != id: // another filesystem, or mount
		return where{}, false
	case err != nil:
		return where{kind: unknown}, true
	}
	name, err := f.name(fd, dir)
	if err != nil {
		return where{kind: unknown}, true
	}
	var st unix.Stat_t
	_ = unix.Fstatat(fd, "../"+tooLong, &st, unix.AT_SYMLINK_NOFOLLOW) // waits for the lock, fails with ENAMETOOLONG
	return where{place: place{parent: string(refOf(f.fsid, parent)), name: name}, kind: placed}, true
}

// name returns the last component of the path of an open directory that is not
// the root of its mount.
func (f *filesystem) name(fd int, dir ref) (string, error) {
	path, err := readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err == unix.ENAMETOOLONG {
		return f.nameInParent(fd, dir)
	}
	if err != nil {
		return "", fmt.Errorf("read name of directory: %w", err)
	}
	return filepath.Base(path), nil
}

// nameInParent finds the name of an open directory by reading its parent, for
// paths that are longer than procfs can tell.
func (f *filesystem) nameInParent(fd int, dir ref) (string, error) {
	parent, err := unix.Openat(fd, "..", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOATIME, 0)
	if err != nil {
		return "", fmt.Errorf("open parent: %w", err)
	}
	defer unix.Close(parent)
	buf := make([]byte, 32<<10)
	for {
		n, err := unix.Getdents(parent, buf)
		if n <= 0 || err != nil {
			return "", fmt.Errorf("name not found in parent: %w", unix.ENOENT)
		}
		_, _, names := unix.ParseDirent(buf[:n], -1, nil)
		for _, name := range names {
			h, _, err := unix.NameToHandleAt(parent, name, 0)
			if err == nil && string(refOf(f.fsid, h)) == string(dir) {
				return name, nil
			}
		}
	}
}

// readlink is readlink(2) with room for the longest path.
func readlink(path string) (string, error) {
	buf := make([]byte, unix.PathMax+1)
	n, err := unix.Readlink(path, buf)
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}
