// SPDX-License-Identifier: Apache-2.0

package fanotify

import (
	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

// reportedAs is the operation that stands for op where the kernel does not tell
// which it was.
func reportedAs(op event.Op) event.Op {
	switch {
	case op.Attribute():
		return event.OpAttrib
	case op == event.OpTruncate:
		return event.OpModify
	}
	return op
}

// Unseen returns those of ops that raise no event at all.
func Unseen(ops []event.Op) (unseen []event.Op) {
	for _, op := range ops {
		if op == event.OpMmap || op == event.OpChattr || op == event.OpExec {
			unseen = append(unseen, op)
		}
	}
	return unseen
}

// expand appends to dst the wanted operations that the event in hand stands
// for, in the order in which they must have happened. All of them are looked
// at, also of files that are not watched, as they may be later.
func (g *Group) expand(dst []event.Op, r *record, watched bool) []event.Op {
	has := func(bit uint64) bool { return r.mask&bit != 0 }
	add := func(op event.Op) {
		if watched && g.ops[op] {
			dst = append(dst, op)
		}
	}
	if has(unix.FAN_CREATE) && watched {
		op := g.createOp(r)
		if op == event.OpCreate && g.ops[event.OpOpen] && !has(unix.FAN_OPEN) {
			g.opening.put(r.object, struct{}{})
		}
		add(op)
	}
	if has(unix.FAN_OPEN) && !g.opensNew(r) {
		add(event.OpOpen)
	}
	if has(unix.FAN_DELETE) && g.hand.removedFirst {
		add(removeOp(r.mask))
	}
	timesOnly := has(unix.FAN_MODIFY) && watched && g.hasNoContent(r)
	if has(unix.FAN_MODIFY) && !timesOnly {
		if g.modified(r.object, r.pid) {
			g.stats.add(forgotten, 1)
		}
		add(event.OpModify)
	}
	if has(unix.FAN_CLOSE_WRITE) && g.closed(r.object, r.pid, has(unix.FAN_MODIFY)) || has(unix.FAN_CREATE) && g.closedBefore(r) {
		add(event.OpClose)
	}
	if has(unix.FAN_ATTRIB) && !g.replaced(r) || timesOnly {
		add(event.OpAttrib)
	}
	if has(unix.FAN_RENAME) {
		add(event.OpRename)
	}
	if has(unix.FAN_DELETE) && !g.hand.removedFirst {
		add(removeOp(r.mask))
	}
	return dst
}

// hasNoContent says that the object cannot be written to. Setting its modification
// time alone is reported as if it had been (fsnotify_change in
// include/linux/fsnotify.h); for a regular file the two cannot be told apart.
func (g *Group) hasNoContent(r *record) bool {
	return r.mask&unix.FAN_ONDIR != 0 || g.identify(r).kind == event.TypeSymlink
}

// closedBefore says whether the closing of a file that is published here stood
// in an event before.
func (g *Group) closedBefore(r *record) bool {
	u, _ := g.unnamed.get(r.object)
	return u.closed
}

func removeOp(mask uint64) event.Op {
	if mask&unix.FAN_ONDIR != 0 {
		return event.OpRmdir
	}
	return event.OpUnlink
}

// createOp tells what a new name stands for.
func (g *Group) createOp(r *record) event.Op {
	if r.mask&unix.FAN_ONDIR != 0 {
		return event.OpMkdir
	}
	if g.changed.has(r.object) && g.named(r.object) {
		return event.OpLink
	}
	switch g.identify(r).kind {
	case event.TypeSymlink:
		return event.OpSymlink
	case event.TypeFifo, event.TypeSocket, event.TypeChar, event.TypeBlock:
		return event.OpMknod
	}
	return event.OpCreate // a regular file, or one that is gone already
}

// opensNew says whether an opening is the one that created the file, which is
// told as its creation. (The first opening of a file that mknod(2) made is taken
// for that, too.) It is asked only when openings are wanted.
func (g *Group) opensNew(r *record) bool {
	if r.mask&unix.FAN_CREATE != 0 {
		return true
	}
	if g.opening.has(r.object) {
		g.opening.remove(r.object)
		return true
	}
	return false
}
