// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bytes"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/strays"
)

// beneath decides by the origin of the directory that is followed and has a name
// beneath it, if there is one.
func (b *Backend) beneath(r *raw, names []byte, at *trampolinesNames, e *event.Event, s *sighting) {
	if b.o.Follow == nil || at.Below == 0 {
		return
	}
	p := &b.paths
	start := len(p.buf)
	p.buf = appendPath(p.buf, leaf(names, at.Below-1))
	below := len(p.buf) - start
	tree := s.host[:max(0, len(s.host)-below)]
	origin, ok := b.o.Follow.Origin(strays.ID{Dev: r.dev(), Inode: at.Tree}, b.volume(r, tree, at.Tree, true))
	if !ok {
		return
	}
	p.buf = append(p.buf[:start], origin...)
	p.buf = appendPath(p.buf, leaf(names, at.Below-1))
	path := p.buf[start:len(p.buf):len(p.buf)]
	name, how := b.concern(r, path)
	if how == notOurs {
		return
	}
	s.by = strays.Side{Path: path, Beneath: true}
	if !b.o.Set.Excludes(s.host) {
		s.how, e.Watch, e.Reason = how, name, event.Followed
	}
}

// follows says whether the record is of something that the kernel side follows.
func (r *raw) follows() bool { return r.Followed != 0 || r.has(trampolinesFlagFLAG_ENDS) }

// again says that the kernel side followed it before the rename: else what the table has
// of that number is of another thing.
func (r *raw) again() bool {
	return r.Followed&1 != 0 || event.Op(r.Op) != event.OpRename || r.Error != 0
}

// followed decides whether it is something that was moved out by itself, or takes the
// place of such a thing. An exclude names paths as they are.
func (b *Backend) followed(r *raw, e *event.Event) bool {
	if b.o.Follow == nil || !r.follows() || b.o.Set.Excludes(e.File.HostPath) && (len(r.old) == 0 || b.o.Set.Excludes(e.Old.HostPath)) {
		return false
	}
	var origin string
	ok := false
	path := e.File.HostPath
	if e.Op == event.OpRename {
		path = e.Old.HostPath // the kernel side tells of it before it is done
	}
	if r.Followed != 0 && r.again() {
		origin, ok = b.o.Follow.Origin(strays.ID{Dev: r.dev(), Inode: r.Ino}, b.volume(r, path, r.Ino, r.isDirectory()))
	}
	if !ok && r.has(trampolinesFlagFLAG_ENDS) {
		origin, ok = b.o.Follow.Origin(strays.ID{Dev: r.dev(), Inode: r.OldIno}, 0)
	}
	if !ok {
		return false
	}
	pattern, how := b.concern(r, []byte(origin))
	if how == notOurs {
		return false
	}
	e.Watch, e.Reason = pattern, event.Followed
	return true
}

// moved takes in a rename, and has the kernel side forget what it follows in vain.
func (b *Backend) moved(r *raw, from, to sighting) {
	if b.o.Follow == nil || event.Op(r.Op) != event.OpRename || r.Error != 0 {
		return
	}
	if r.OldIno != 0 && (r.isDirectory() || r.Before.Nlink == 0) {
		b.o.Follow.Forget(strays.ID{Dev: r.dev(), Inode: r.OldIno})
	}
	if r.Followed == 0 {
		return // it was never in
	}
	follows := b.o.Follow.Learn(strays.Move{
		ID: strays.ID{Dev: r.dev(), Inode: r.Ino}, Volume: b.volume(r, to.host, r.Ino, r.isDirectory()),
		Directory: r.isDirectory(), Again: r.again(), From: from.by, To: to.by,
		Time: r.Time, Now: bootTime(),
	})
	switch {
	case !follows:
		// If that fails there is a note too many, which only costs.
		_ = run(b.objects, armForget, r.Ino, uint64(r.Dev), r.Followed)
	case r.isDirectory():
		// If that fails the kernel side asks what it cannot join.
		_ = b.seeder.follow(r.Ino, r.Dev)
	}
}

// gone takes in that something is.
func (b *Backend) gone(r *raw) {
	op := event.Op(r.Op)
	if b.o.Follow == nil || r.Error != 0 {
		return
	}
	if op == event.OpRmdir || op == event.OpUnlink && r.Now.Nlink == 0 {
		b.o.Follow.Forget(strays.ID{Dev: r.dev(), Inode: r.Ino})
	}
}

func (r *raw) movesTree() bool { return event.Op(r.Op) == event.OpRename && r.isDirectory() }

func (r *raw) isDirectory() bool { return event.TypeOf(uint32(r.Now.Mode)) == event.TypeDirectory }

// volume tells apart what has the same number: in btrfs it is the device of the
// subvolume, which its directories show; in an overlay filesystem the one that the file
// itself shows. It is looked at later than the event was, when the path may lead to
// nothing, or to another file: then it is not known, and the kernel side's word counts.
func (b *Backend) volume(r *raw, path []byte, inode uint64, directory bool) uint64 {
	if b.o.Stat == nil || len(path) == 0 {
		return 0
	}
	switch r.Magic {
	case btrfsMagic:
		if !directory {
			path = path[:max(1, bytes.LastIndexByte(path, '/'))]
		}
		dev, _ := b.o.Stat(path)
		return dev
	case overlayMagic:
		if dev, at := b.o.Stat(path); at == inode {
			return dev
		}
	}
	return 0
}
