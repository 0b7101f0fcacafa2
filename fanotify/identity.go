// SPDX-License-Identifier: Apache-2.0

package fanotify

import (
	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

// identity is what is known of the object of the event in hand. All of it is
// the same for the whole life of the object, so it may be asked for later.
type identity struct {
	inode, dev uint64
	kind       event.Type
	target     []byte // of a symbolic link
	// deleted says that the object has no name any more.
	deleted bool
	asked   bool // the rest was filled in
}

// identify returns the identity of the object of the event in hand, with as few
// system calls as possible: none when its handle type and its file type are
// known already.
func (g *Group) identify(r *record) *identity {
	id := &g.hand.id
	if id.asked {
		return id
	}
	*id = identity{asked: true, target: id.target[:0]}
	what := subject(r)
	f := g.filesystems[what.fsid()]
	if f == nil {
		return id
	}
	known := false
	if r.mask&unix.FAN_ONDIR != 0 {
		id.kind, known = event.TypeDirectory, true
	} else if kind, ok := g.types.get(what); ok {
		id.kind, known = kind, true
	}
	id.inode, id.dev = f.decoded(what)
	if !known || id.inode == 0 || id.dev == 0 || r.mask&(unix.FAN_DELETE|unix.FAN_CREATE) != 0 {
		g.ask(f, r, id)
	}
	return id
}

// subject is the object of an event; events of a directory itself name it as
// the directory.
func subject(r *record) ref {
	if len(r.object) == 0 {
		return r.dir
	}
	return r.object
}

// ask fills in what the filesystem tells of the object now.
func (g *Group) ask(f *filesystem, r *record, id *identity) {
	what := subject(r)
	fd, err := f.open(what)
	if err != nil {
		id.deleted = err == unix.ESTALE
		f.stand(what, r.dir, id)
		g.noteGone(r, id)
		return
	}
	defer unix.Close(fd)
	o, err := f.stat1(fd, what)
	if err != nil {
		return
	}
	id.inode, id.dev, id.kind, id.deleted = o.inode, o.dev, o.kind, o.links == 0
	g.types.put(what, o.kind)
	g.noteGone(r, id)
	if o.kind == event.TypeSymlink {
		id.target = readTarget(fd, id.target)
	}
}

// stand lets the directory stand in for a deleted object: it is in the same
// subvolume, so the object's own st_dev is known afterwards.
func (f *filesystem) stand(what, dir ref, id *identity) {
	if id.dev == 0 && len(dir) > 0 {
		_, _ = f.look(dir) // what fails stays unknown
		id.inode, id.dev = f.decoded(what)
	}
}

// noteGone notes at the event of its removal that an object has no name any
// more. Before that event it still had one, even if that is gone by now.
func (g *Group) noteGone(r *record, id *identity) {
	if id.deleted && r.mask&unix.FAN_DELETE != 0 {
		g.gone.put(subject(r), struct{}{})
	}
}

// readTarget reads where an open symbolic link points to.
func readTarget(fd int, buf []byte) []byte {
	if cap(buf) < unix.PathMax {
		buf = make([]byte, unix.PathMax)
	}
	n, err := unix.Readlinkat(fd, "", buf[:cap(buf)])
	if err != nil {
		return buf[:0]
	}
	return buf[:n]
}
