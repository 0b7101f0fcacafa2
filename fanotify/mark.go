// SPDX-License-Identifier: Apache-2.0

package fanotify

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/mount"
)

// Refusal is a filesystem with watched paths whose events cannot be had.
type Refusal struct {
	Mountpoint string // on the host
	FSType     string
	Err        error
}

func (r Refusal) Error() string {
	return fmt.Sprintf("%s (%s) is not watched: %v", r.Mountpoint, r.FSType, r.Err)
}

func (r Refusal) Unwrap() error { return r.Err }

// Filesystem is one whose events are had.
type Filesystem struct {
	Mountpoint string // on the host, of its largest mount
	FSType     string
	Dev        uint64 // as in the mount table
}

// needed is what the backend itself must see to know where directories are and
// to tell links from new files, whichever operations are wanted.
const needed = unix.FAN_CREATE | unix.FAN_DELETE | unix.FAN_RENAME | unix.FAN_ATTRIB | unix.FAN_ONDIR

// maskOf returns the events to ask for.
func maskOf(ops []event.Op) uint64 {
	mask := uint64(needed)
	for _, op := range ops {
		switch reportedAs(op) {
		case event.OpModify:
			mask |= unix.FAN_MODIFY
		case event.OpClose:
			mask |= unix.FAN_MODIFY | unix.FAN_CLOSE_WRITE
		case event.OpOpen:
			mask |= unix.FAN_OPEN
		}
	}
	return mask
}

// markAll marks every filesystem of the table that a watched path leads into or
// may come to lead into. What is marked already is marked again, which changes
// nothing, unless it was unmounted and mounted again meanwhile.
func (g *Group) markAll(t *mount.Table) {
	own := t
	if g.ownTable != "" {
		var err error
		if own, err = mount.Read(g.ownTable); err != nil {
			g.refuse(&mount.Mount{Point: g.root}, fmt.Errorf("read our own mounts: %w", err))
			return
		}
	}
	g.refused = g.refused[:0]
	g.marked = g.marked[:0]
	for _, group := range byDevice(t, g.wanted(t)) {
		if err := g.markDevice(group, own); err != nil {
			g.refuse(group[0], err)
		}
	}
}

func (g *Group) refuse(m *mount.Mount, err error) {
	g.refused = append(g.refused, Refusal{Mountpoint: m.Point, FSType: m.FSType, Err: err})
}

// wanted returns the devices that the literal beginnings of the patterns lead
// into, and those of the mounts below that the rest of a pattern may reach.
func (g *Group) wanted(t *mount.Table) map[uint64]bool {
	devs := make(map[uint64]bool)
	for _, prefix := range g.set.Prefixes() {
		if m, _ := t.Locate([]byte(prefix)); m != nil {
			devs[m.Dev] = true
		}
		for _, m := range t.Mounts() {
			if below(m.Point, prefix) && g.set.Reaches([]byte(m.Point)) {
				devs[m.Dev] = true
			}
		}
	}
	return devs
}

func below(path, dir string) bool {
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(dir, "/"))
	return ok && strings.HasPrefix(rest, "/")
}

// byDevice returns the mounts of the wanted devices, one list per device, in
// which the mount that shows most of its filesystem comes first.
func byDevice(t *mount.Table, devs map[uint64]bool) [][]*mount.Mount {
	at := make(map[uint64]int)
	var lists [][]*mount.Mount
	mounts := t.Mounts()
	for i := range mounts {
		m := &mounts[i]
		if !devs[m.Dev] || m.FSType == "autofs" { // opening autofs may mount something
			continue
		}
		if _, ok := at[m.Dev]; !ok {
			at[m.Dev] = len(lists)
			lists = append(lists, nil)
		}
		lists[at[m.Dev]] = append(lists[at[m.Dev]], m)
	}
	for _, list := range lists {
		slices.SortStableFunc(list, func(a, b *mount.Mount) int { return cmp.Compare(len(a.Root), len(b.Root)) })
	}
	return lists
}

// markDevice marks the filesystem of these mounts, through the first of them
// that can be entered.
func (g *Group) markDevice(mounts []*mount.Mount, own *mount.Table) error {
	f := &filesystem{dev: mounts[0].Dev, fstype: mounts[0].FSType, stat: make(map[uint64]uint64), decodes: make(map[int32]bool)}
	err := errHiddenMount
	for _, m := range mounts {
		d, failed := g.openDoor(m, own)
		if failed != nil {
			continue
		}
		if len(f.doors) == 0 {
			if err = g.markThrough(f, d); err != nil {
				return err
			}
		}
		f.doors = append(f.doors, d)
	}
	if len(f.doors) == 0 {
		return err
	}
	g.adopt(f)
	g.marked = append(g.marked, Filesystem{Mountpoint: mounts[0].Point, FSType: f.fstype, Dev: f.dev})
	return nil
}

// openDoor makes sure that the mount can be found where the table says.
func (g *Group) openDoor(m *mount.Mount, own *mount.Table) (door, error) {
	d := door{path: path.Join(g.root, m.Point), root: m.Root}
	fd, err := unix.Open(d.path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return d, fmt.Errorf("open mount %s: %w", d.path, err)
	}
	defer unix.Close(fd)
	id, top, err := mountOf(fd)
	if err != nil || !top {
		return d, errHiddenMount
	}
	d.id = id
	mounts := own.Mounts()
	i := slices.IndexFunc(mounts, func(o mount.Mount) bool { return uint64(o.ID) == id })
	if i < 0 || mounts[i].Dev != m.Dev || mounts[i].Root != m.Root {
		return d, errHiddenMount
	}
	return d, nil
}

// markThrough marks f and learns its fsid; a filesystem whose events could not
// be understood later is refused.
func (g *Group) markThrough(f *filesystem, d door) error {
	fd, err := d.enter()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil {
		return fmt.Errorf("statfs: %w", err)
	}
	for i, half := range st.Fsid.Val {
		binary.NativeEndian.PutUint32(f.fsid[4*i:], uint32(half))
	}
	if other := g.filesystems[f.fsid]; other != nil && other.dev != f.dev && g.isMarked(other) {
		return fmt.Errorf("%w as %s", errSameFsid, other.doors[0].path)
	}
	link := fmt.Sprintf("/proc/self/fd/%d", fd)
	if err := unix.FanotifyMark(g.queue.fd, unix.FAN_MARK_ADD|unix.FAN_MARK_FILESYSTEM, g.mask, unix.AT_FDCWD, link); err != nil {
		return explainMark(err)
	}
	if err := f.probe(fd); err != nil {
		_ = unix.FanotifyMark(g.queue.fd, unix.FAN_MARK_REMOVE|unix.FAN_MARK_FILESYSTEM, g.mask, unix.AT_FDCWD, link)
		return err
	}
	return nil
}

// isMarked says whether f is among the filesystems of the table that was, or is
// being, marked last.
func (g *Group) isMarked(f *filesystem) bool {
	return slices.ContainsFunc(g.marked, func(m Filesystem) bool { return m.Dev == f.dev })
}

// probe makes sure that handles can be opened again.
func (f *filesystem) probe(mount int) error {
	h, _, err := unix.NameToHandleAt(mount, "", unix.AT_EMPTY_PATH)
	if err != nil {
		return fmt.Errorf("get file handle: %w", err)
	}
	fd, err := unix.OpenByHandleAt(mount, h, unix.O_PATH|unix.O_CLOEXEC)
	if err != nil {
		return explainHandle(err)
	}
	defer unix.Close(fd)
	_, err = f.stat1(fd, refOf(f.fsid, h))
	return err
}

// adopt takes f into use. What was known of the filesystem is kept, but for the
// tree when a mount of it went: it may have been changed elsewhere meanwhile.
func (g *Group) adopt(f *filesystem) {
	old := g.filesystems[f.fsid]
	g.filesystems[f.fsid] = f
	if old == nil {
		return
	}
	gone := func(d door) bool {
		return !slices.ContainsFunc(f.doors, func(n door) bool { return n.id == d.id })
	}
	if old.dev != f.dev || slices.ContainsFunc(old.doors, gone) {
		g.tree.forget(func(key string, _ *node) bool { return ref(key).fsid() == f.fsid })
		f.narrowed = true
		return
	}
	f.narrowed = old.narrowed
	f.stat, f.decodes = old.stat, old.decodes
}
