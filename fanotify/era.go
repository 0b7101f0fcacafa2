// SPDX-License-Identifier: Apache-2.0

package fanotify

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/mount"
)

// era is a stretch of the stream of events, with the mount tables that may have held when
// they happened.
//
// The kernel tells that the table has changed, not when: an event that was read together with
// a change may be from before it or from after it. One that was queued after a table was
// read is from no earlier one, and if the table is unchanged after the event was read, from
// no later one. What comes and goes between two readings is not known.
type era struct {
	tables []*mount.Table // in the order in which they were read; never empty
	floor  int            // which of them may be the first to hold for what is read next
	end    uint64         // number of the first event after the era, see queue
	// cut says that there were more tables than are kept.
	cut bool
	// unread says that a changed table could not be read.
	unread bool
}

const (
	// eagerness bounds how often the table is read at once that keeps changing meanwhile.
	// What is read then has a longer era.
	eagerness = 5
	// maxTables bounds those of an era.
	maxTables = 32
)

// newest is the table that was read last.
func (e *era) newest() *mount.Table { return e.tables[len(e.tables)-1] }

// add appends a table that was just read.
func (e *era) add(t *mount.Table) {
	e.tables = append(e.tables, t)
	if len(e.tables) > maxTables {
		e.tables, e.floor, e.cut = e.tables[1:], max(0, e.floor-1), true
	}
}

// next begins the era of what was queued after this one, and says whether a table has
// ceased to count.
func (e *era) next() bool {
	if e.floor == 0 {
		return false
	}
	e.tables, e.floor, e.cut = slices.Clone(e.tables[e.floor:]), 0, false
	return true
}

// look reads events until none that is queued from then on can be from before a change of
// the mount table, and begins an era with them. It is called when all events of the one
// before are done.
func (g *Group) look() {
	if g.next() {
		g.freshen()
	}
	for range eagerness {
		known := len(g.tables) - 1
		g.drain()
		if g.queue.complete {
			g.floor = known
		}
		if !g.remounted() {
			break
		}
		g.remount()
	}
	g.end = g.queue.end()
}

// remounted says whether the mount table has changed since it was read.
func (g *Group) remounted() bool {
	fds := []unix.PollFd{{Fd: int32(g.tableFd), Events: unix.POLLPRI}}
	n, err := unix.Poll(fds, 0)
	return g.unread || n > 0 && err == nil
}

// remount reads the mount table and marks what it names. A directory that no mount showed
// may be seen by a new one.
func (g *Group) remount() {
	t, err := mount.Read(g.tableName)
	if g.unread = err != nil; g.unread {
		g.stats.add(tableErrors, 1)
		return
	}
	g.stats.add(tableReads, 1)
	g.add(t)
	g.markAll(t)
	g.tree.forget(func(_ string, n *node) bool { return n.kind != placed && n.kind != anchor })
}

// freshen drops what was known by tables that do not count any more.
func (g *Group) freshen() {
	clear(g.labels)
	if len(g.tables) > 1 {
		return
	}
	for id, f := range g.filesystems {
		f.narrowed = false
		if !g.isMarked(f) {
			delete(g.filesystems, id)
		}
	}
	g.tree.forget(func(_ string, n *node) bool { return n.kind != placed })
}

// renamed reads the mount table again, in which the rename of a directory has changed paths.
// No poll(2) tells of that; if it tells of a change as well, any of the tables may hold.
func (g *Group) renamed() {
	sure := len(g.tables) == 1
	g.remount()
	for range eagerness {
		if !g.remounted() {
			break
		}
		sure = false
		g.remount()
	}
	if sure {
		g.tables, g.floor = g.tables[len(g.tables)-1:], 0
		g.freshen()
	}
}
