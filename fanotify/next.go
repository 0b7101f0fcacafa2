// SPDX-License-Identifier: Apache-2.0

package fanotify

import (
	"bytes"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/mount"
)

// Reasons of lost events.
var (
	reasonQueue     = []byte(event.LossQueueFull)
	reasonMalformed = []byte(event.LossMalformed)
	// reasonMerged is that of events which may have been of a watched file,
	// and cannot be told for certain; see the package comment.
	reasonMerged = []byte(event.LossMerged)
	// reasonMounts is that of events which were of a watched file by one mount
	// table, and by another were not; see era.
	reasonMounts = []byte(event.LossMounts)
)

// hand is the event in hand, whose operations are handed out one by one.
type hand struct {
	waiting
	busy     bool // an event is in hand
	ops      []event.Op
	next     int // of ops
	at, from side
	id       identity
	lost     []byte // why events were lost, to be told first
	// told is the round for which doubts were told last, by their reason.
	told map[string]uint64
}

// movesDirectory says whether the event in hand is the rename of a directory.
func (h *hand) movesDirectory() bool {
	return h.mask&unix.FAN_RENAME != 0 && h.mask&unix.FAN_ONDIR != 0
}

// subvolumeRoot is the number of the root directory of each subvolume of btrfs, and of
// nothing else in it (linux/btrfs_tree.h).
const subvolumeRoot = 256

// handlesTree says whether the event in hand is of a subvolume, which comes and goes
// with all that is in it.
func (g *Group) handlesTree(f *filesystem) bool {
	r := &g.hand.record
	if r.mask&unix.FAN_ONDIR == 0 || r.mask&(unix.FAN_CREATE|unix.FAN_DELETE) == 0 || f.fstype != "btrfs" {
		return false
	}
	return inodeOf(subject(r).handle()) == subvolumeRoot
}

// impatience is how many events are passed over before the deadline is looked
// at, while there are more.
const impatience = 256

// Next fills e with the next event; its slices are valid until the next call. It
// returns [os.ErrDeadlineExceeded] when nothing came until the deadline and
// [os.ErrClosed] after Close.
func (g *Group) Next(e *event.Event, deadline time.Time) error {
	for passed := 1; ; passed++ {
		if g.queue.fd < 0 {
			return os.ErrClosed
		}
		if g.failed != nil {
			return g.failed
		}
		if g.handOut(e) {
			g.stats.add(emitted, 1)
			return nil
		}
		if g.take() {
			if passed%impatience == 0 && time.Now().After(deadline) {
				return os.ErrDeadlineExceeded
			}
			continue
		}
		g.rest()
		if err := g.wait(deadline); err != nil {
			return err
		}
		g.look()
	}
}

// handOut fills e with the next operation of the event in hand.
func (g *Group) handOut(e *event.Event) bool {
	h := &g.hand
	if h.lost != nil {
		*e = event.Event{Op: event.OpLost, Boot: bootTime(), Lost: event.Lost{Reason: h.lost}}
		h.lost = nil
		return true
	}
	if h.next < len(h.ops) {
		h.next++
		g.fill(e, h.ops[h.next-1])
		return true
	}
	if h.busy {
		g.queue.done(&h.waiting)
		h.busy = false
	}
	return false
}

// take takes the next waiting event in hand, if there is one.
func (g *Group) take() bool {
	if g.queue.begins(g.end) {
		g.look()
	}
	w, ok := g.queue.pop()
	if !ok {
		return false
	}
	g.stats.add(seen, 1)
	h := &g.hand
	h.waiting, h.busy, h.ops, h.next = w, true, h.ops[:0], 0
	h.id.asked = false
	switch {
	case w.mask&unix.FAN_Q_OVERFLOW != 0:
		g.overflowed()
	case w.pid == g.self:
		g.stats.add(own, 1)
	case len(w.dir) > 0:
		g.judge(&h.record)
	}
	g.follow(&h.waiting)
	g.tree.trim(w.round)
	if h.mask&unix.FAN_RENAME != 0 {
		g.moved(&h.record)
	}
	return true
}

// moved reads the mount table again when it names what was renamed.
func (g *Group) moved(r *record) {
	h := &g.hand
	if r.pid == g.self {
		g.locate(r.dir, r.name, &h.from)
	}
	if f := g.filesystems[r.dir.fsid()]; f != nil && len(h.from.inFS) > 1 && g.carried(f, &h.from) {
		g.renamed()
	}
}

// overflowed drops what is known of the directories, since renames may be among
// the events that were lost.
func (g *Group) overflowed() {
	g.stats.add(overflows, 1)
	g.tree.forget(func(string, *node) bool { return true })
	g.hand.lost = reasonQueue
}

// judge decides whether the event in hand is of a watched file, and expands it.
func (g *Group) judge(r *record) {
	h := &g.hand
	h.from.reset()
	if r.mask&unix.FAN_RENAME != 0 {
		g.locate(r.dir, r.name, &h.from)
		g.locate(r.newDir, r.newName, &h.at)
	} else if dir, name, ok := g.published(r); ok {
		g.locate(dir, name, &h.at)
	} else {
		h.at.reset()
	}
	watched := h.at.watch != nil || h.from.watch != nil
	h.ops = g.expand(h.ops, r, watched)
	if f := g.filesystems[r.dir.fsid()]; f != nil && g.isBound(f, &h.at) {
		h.ops = slices.DeleteFunc(h.ops, func(op event.Op) bool { return slices.Contains(naming, op) })
	}
	leads := h.at.leads != nil || h.from.leads != nil
	if leads && !watched {
		h.ops = g.carries(h.ops)
	}
	switch {
	case watched, leads:
	case h.at.doubt != nil:
		g.doubt(r, h.at.doubt)
	case h.from.doubt != nil:
		g.doubt(r, h.from.doubt)
	case h.at.lost || h.from.lost:
		g.stats.add(unresolved, 1)
	default:
		g.stats.add(ignored, 1)
	}
}

// naming are the operations on a name. Where something is mounted by itself it keeps the name
// that it has there, whatever becomes of the one that it has elsewhere.
var naming = []event.Op{
	event.OpCreate, event.OpLink, event.OpSymlink, event.OpMkdir, event.OpMknod, event.OpUnlink, event.OpRmdir,
}

// carries appends what was done to a directory that no pattern names: it takes watched
// paths away, or brings them.
func (g *Group) carries(ops []event.Op) []event.Op {
	for _, op := range []event.Op{event.OpMkdir, event.OpRmdir, event.OpRename} {
		if g.ops[op] && g.hand.mask&bitsOf[op] != 0 {
			ops = append(ops, op)
		}
	}
	return ops
}

// doubt tells, once in a round, that events of watched files may be among those
// that cannot be placed.
func (g *Group) doubt(r *record, reason []byte) {
	if bytes.Equal(reason, reasonMounts) {
		g.stats.add(mountDoubts, 1)
	}
	if g.hand.told[string(reason)] != g.hand.round && g.concerns(r.mask) {
		g.hand.told[string(reason)] = g.hand.round
		g.hand.lost = reason
	}
}

// concerns says whether a wanted operation may be among those of the mask.
func (g *Group) concerns(mask uint64) bool {
	for op, bits := range bitsOf {
		if g.ops[op] && mask&bits != 0 {
			return true
		}
	}
	return false
}

// bitsOf are the bits of an event that may stand for an operation.
var bitsOf = map[event.Op]uint64{
	event.OpOpen: unix.FAN_OPEN, event.OpModify: unix.FAN_MODIFY, event.OpClose: unix.FAN_CLOSE_WRITE,
	event.OpAttrib: unix.FAN_ATTRIB, event.OpRename: unix.FAN_RENAME,
	event.OpCreate: unix.FAN_CREATE, event.OpLink: unix.FAN_CREATE, event.OpSymlink: unix.FAN_CREATE,
	event.OpMkdir: unix.FAN_CREATE, event.OpMknod: unix.FAN_CREATE,
	event.OpUnlink: unix.FAN_DELETE, event.OpRmdir: unix.FAN_DELETE,
}

// fill fills e with one operation of the event in hand.
func (g *Group) fill(e *event.Event, op event.Op) {
	h := &g.hand
	*e = event.Event{Op: op, Boot: h.boot, Res: event.SuccessBytes}
	for _, watch := range [][]byte{h.at.watch, h.from.watch, h.at.leads, h.from.leads} {
		if e.Watch == nil {
			e.Watch = watch
		}
	}
	g.fillFile(e)
	e.Proc = *g.whoDid(h.pid)
}

// actor is the process that was asked for last.
type actor struct {
	pid   int32
	until uint64 // number of the first event that was not read yet then
	who   event.Process
}

// whoDid returns who did the event in hand. Events that were read before the
// process was last asked for get the same answer: to ask again would only tell
// of a moment that is further away.
func (g *Group) whoDid(pid int32) *event.Process {
	a := &g.actor
	if a.pid != pid || g.queue.first > a.until || a.until == 0 {
		g.who(int(pid), g.queue.pidfd(pid), &a.who)
		a.pid, a.until = pid, g.queue.first+uint64(g.queue.len())
	}
	return &a.who
}

func (g *Group) fillFile(e *event.Event) {
	h := &g.hand
	id := g.identify(&h.record)
	e.File.HostPath, e.Old.HostPath = h.at.host, h.from.host
	e.File.Inode, e.File.Dev, e.File.Type = id.inode, id.dev, id.kind
	if e.Op == event.OpSymlink {
		e.File.LinkTarget = id.target
	}
	e.File.Deleted = g.deleted(e.Op, id)
	m := h.at.mount
	if m == nil {
		m = h.from.mount
	}
	if m != nil {
		l := g.label(m)
		e.File.FSType, e.File.Mountpoint = l.fstype, l.point
	}
}

// deleted says whether the object had no name any more, as far as that is
// known: after its last unlink, or in an event that came later.
func (g *Group) deleted(op event.Op, id *identity) bool {
	switch op {
	case event.OpRmdir:
		return true
	case event.OpUnlink:
		return id.deleted
	}
	return (g.hand.mask&unix.FAN_DELETE == 0 || g.hand.removedFirst) && g.gone.has(subject(&g.hand.record))
}

// label is what events tell of a mount, as bytes.
type label struct{ fstype, point []byte }

func (g *Group) label(m *mount.Mount) label {
	l, ok := g.labels[m]
	if !ok {
		l = label{[]byte(m.FSType), []byte(m.Point)}
		g.labels[m] = l
	}
	return l
}
