// SPDX-License-Identifier: Apache-2.0

package fanotify

import (
	"bytes"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

// history is what single events leave behind for later ones: all of it bounded,
// keyed by ref.
type history struct {
	// changed holds the files of which an event told a change of attributes
	// without a name. link(2) raises one for the file that it is about to give
	// another name (fsnotify_link_count in vfs_link of fs/namei.c), a new file
	// has had none.
	changed *recent[struct{}]
	unnamed *recent[unnamed]
	// opening holds files whose creation was told and whose opening by the
	// same open(2) is to come.
	opening *recent[struct{}]
	// gone holds files and directories whose last name was removed.
	gone  *recent[struct{}]
	types *recent[event.Type]
	// newcomers holds which directory a rename brought to a place, for as long as it
	// is there; see replaced.
	newcomers *recent[ref]
	writers
}

// unnamed is a file made with O_TMPFILE. Events through its first descriptor
// call it "#" and the inode number, a name that it does not have.
type unnamed struct {
	place // under which it was published; no name before that
	// closed says that its closing was merged into an event from before its
	// publication. It is told with that: the closing came after it, as it takes
	// an open descriptor to publish.
	closed bool
}

func newHistory() history {
	return history{
		changed:   newRecent[struct{}](1 << 14),
		unnamed:   newRecent[unnamed](1 << 12),
		opening:   newRecent[struct{}](1 << 12),
		gone:      newRecent[struct{}](1 << 14),
		types:     newRecent[event.Type](1 << 14),
		newcomers: newRecent[ref](1 << 12),
		writers:   writers{newRecent[[]writer](1 << 16)},
	}
}

// published returns the name of a file that has none by what the event says:
// that under which it was linked later. ok is false when there is no such name.
func (g *Group) published(r *record) (dir ref, name []byte, ok bool) {
	if !g.unlinked(r) {
		return r.dir, r.name, true
	}
	u, _ := g.unnamed.get(r.object)
	if u.name == "" && r.mask&unix.FAN_CLOSE_WRITE != 0 {
		u.closed = true
		g.unnamed.put(r.object, u)
	}
	return ref(u.parent), []byte(u.name), u.name != ""
}

// unlinked says whether the event calls an unnamed file by its number.
func (g *Group) unlinked(r *record) bool {
	if len(r.name) < 2 || r.name[0] != '#' || len(r.object) == 0 || r.mask&unix.FAN_ONDIR != 0 {
		return false
	}
	if number, err := strconv.ParseUint(string(r.name[1:]), 10, 64); err != nil || number != inodeOf(r.object.handle()) {
		return false
	}
	if r.mask&(unix.FAN_CREATE|unix.FAN_DELETE|unix.FAN_RENAME) != 0 {
		return false // these are about a real name, however it looks
	}
	if g.unnamed.has(r.object) {
		return true
	}
	if g.isNamed(r) {
		return false
	}
	g.unnamed.put(r.object, unnamed{})
	return true
}

// named says whether the file had a name before: one that was made with O_TMPFILE has
// none until it is published.
func (g *Group) named(object ref) bool {
	u, ok := g.unnamed.get(object)
	return !ok || u.name != ""
}

// isNamed says whether the file really has, or has had, the name in the event.
func (g *Group) isNamed(r *record) bool {
	f := g.filesystems[r.object.fsid()]
	if f == nil {
		return false
	}
	dir, err := f.open(r.dir)
	if err == nil {
		defer unix.Close(dir)
		var st unix.Stat_t
		err = unix.Fstatat(dir, string(r.name), &st, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT)
		if err == nil && st.Ino == inodeOf(r.object.handle()) {
			return true
		}
	}
	g.drain()
	return g.queue.takesName(r)
}

// follow notes what later events need to know of this one.
func (g *Group) follow(w *waiting) {
	r := &w.record
	switch {
	case len(r.object) == 0:
	case len(r.dir) == 0:
		if r.mask&unix.FAN_ATTRIB != 0 {
			g.changed.put(r.object, struct{}{})
		}
	case r.mask&unix.FAN_ONDIR != 0:
		g.followDir(r, w.round)
	case r.mask&unix.FAN_CREATE != 0 && g.unnamed.has(r.object):
		g.unnamed.put(r.object, unnamed{place: place{string(r.dir), string(r.name)}})
	case r.mask&unix.FAN_RENAME != 0 && g.unnamed.has(r.object):
		g.unnamed.put(r.object, unnamed{place: place{string(r.newDir), string(r.newName)}})
	}
}

// key is the place as one key.
func (p place) key() []byte { return []byte(p.parent + "/" + p.name) }

// replaced says whether the event is of a directory that a rename has just replaced by
// another. The kernel raises one of changed attributes for it (fsnotify_link_count in
// fsnotify_move of include/linux/fsnotify.h), but nobody changed any.
func (g *Group) replaced(r *record) bool {
	if r.mask != unix.FAN_ATTRIB|unix.FAN_ONDIR {
		return false
	}
	dir := subject(r)
	n := g.tree.nodes[string(dir)]
	if n == nil || n.kind != placed {
		return false
	}
	newcomer, ok := g.newcomers.get(n.place.key())
	return ok && !bytes.Equal(newcomer, dir)
}

func (g *Group) followDir(r *record, round uint64) {
	at := place{string(r.dir), string(r.name)}
	if r.mask&(unix.FAN_CREATE|unix.FAN_DELETE|unix.FAN_RENAME) != 0 {
		g.newcomers.remove(at.key())
	}
	if r.mask&unix.FAN_RENAME != 0 {
		to := place{string(r.newDir), string(r.newName)}
		g.newcomers.put(to.key(), slices.Clone(r.object))
		g.tree.move(r.object, at, to, round)
		return
	}
	if r.mask&unix.FAN_CREATE != 0 {
		g.tree.put(r.object, node{place: at, round: round})
	}
	if r.mask&unix.FAN_DELETE != 0 {
		g.tree.bury(r.object)
		g.gone.put(r.object, struct{}{})
	}
}
