// SPDX-License-Identifier: Apache-2.0

package fanotify

import (
	"slices"
	"time"

	"github.com/falco-fim/fim/mount"
)

// side is one of the names that an event tells: where the file is, or for a
// rename also where it was.
type side struct {
	inFS []byte // path inside the filesystem
	// host is the path on the host, empty when it is not known.
	host  []byte
	mount *mount.Mount // through which host leads; nil when that is not known
	// watch is the pattern that names host, nil when none does.
	watch []byte
	// leads is the pattern that a directory leads to which is renamed or a subvolume, where none
	// names it.
	leads []byte
	// doubt says that the name may be watched or not; then watch is nil.
	doubt bool
	// lost says that the path could not be found out.
	lost bool
}

func (s *side) reset() {
	*s = side{inFS: s.inFS[:0], host: s.host[:0]}
}

// locate fills s for the name in the directory dir, or for the directory itself
// if the name is ".".
func (g *Group) locate(dir ref, name []byte, s *side) {
	s.reset()
	f := g.filesystems[dir.fsid()]
	if f == nil || len(dir) == 0 {
		return // unmounted meanwhile
	}
	switch path, a := g.dirPath(s.inFS, dir); a {
	case found:
		s.inFS = join(path, name)
		g.show(f, s.inFS, s)
	case doubtful:
		g.stats.add(doubts, 1)
		g.weigh(f, dir, name, s)
	default:
		s.lost = true
	}
}

// join appends name to the path of a directory, which for the root is "".
func join(dir, name []byte) []byte {
	if string(name) != "." {
		dir = append(append(dir, '/'), name...)
	}
	if len(dir) == 0 {
		dir = append(dir, '/')
	}
	return dir
}

// show finds by which host path a path inside a filesystem is seen: one that a
// pattern names, else one that leads to a pattern, else the first.
func (g *Group) show(f *filesystem, inFS []byte, s *side) {
	g.paths = g.tableOf(f).HostPaths(g.paths[:0], f.dev, inFS)
	for i := range g.paths {
		p := &g.paths[i]
		watch, ok := g.set.Match(p.Host)
		var leads []byte
		if !ok && s.leads == nil && (g.hand.movesDirectory() || g.handlesTree(f)) {
			leads, _ = g.set.Leads(p.Host)
		}
		if ok || leads != nil || i == 0 {
			s.host, s.mount, s.leads = append(s.host[:0], p.Host...), p.Mount, leads
		}
		if ok {
			s.watch = watch
			return
		}
	}
}

// tableOf returns the mount table to tell paths of a filesystem by: the one
// that holds for the events that wait, unless it was read before the filesystem
// was mounted.
func (g *Group) tableOf(f *filesystem) *mount.Table {
	if g.fresh == nil || slices.ContainsFunc(g.table.Mounts(), func(m mount.Mount) bool { return m.Dev == f.dev }) {
		return g.table
	}
	return g.fresh
}

// weigh judges a name in a directory that may be at several places. When all of
// them are watched the name is, though its path stays unknown; when only some
// are, it is in doubt.
func (g *Group) weigh(f *filesystem, dir ref, name []byte, s *side) {
	paths, lacks := g.tree.paths(string(dir), g.hand.round)
	for lacks != nil {
		g.learn(lacks)
		paths, lacks = g.tree.paths(string(dir), g.hand.round)
	}
	var watch, leads []byte
	watched := 0
	for _, path := range paths {
		s.reset()
		if g.show(f, join([]byte(path), name), s); s.watch != nil || s.leads != nil {
			watch, leads = s.watch, s.leads
			watched++
		}
	}
	s.reset()
	switch {
	case len(paths) == 0: // too many places, or one that cannot be seen
		s.doubt = true
	case watched == len(paths):
		s.watch, s.leads = watch, leads
	default:
		s.doubt = watched > 0
	}
}

// dirPath appends to dst the path of a directory inside its filesystem, as it
// was when the event in hand happened.
func (g *Group) dirPath(dst []byte, dir ref) ([]byte, answer) {
	for {
		path, lacks, a := g.tree.path(dst, dir, g.hand.round)
		if a != missing {
			return path, a
		}
		g.learn(lacks)
	}
}

// patience bounds how often the deletion of a directory that is gone is waited
// for; its event follows at once.
const patience = 5

// learn puts into the tree where the directory was when the event in hand
// happened.
//
// The filesystem tells where it is now. All that happened to it in between is
// behind the event in the stream, once the queue was read to its end again: so
// if a waiting event takes the directory away from some place, the first of
// them tells that place, else it is where it was.
func (g *Group) learn(dir ref) {
	g.stats.add(lookups, 1)
	n := node{kind: hidden, round: g.hand.round}
	f := g.filesystems[dir.fsid()]
	if f == nil {
		g.tree.put(dir, n)
		return
	}
	for try := 0; try < patience; try++ {
		w := f.find(dir)
		g.drain()
		n.place, n.kind = w.place, w.kind
		if r, ok := g.queue.firstMove(dir); ok {
			n.place, n.kind = place{parent: string(r.dir), name: string(r.name)}, placed
			break
		}
		if !w.gone || g.gone.has(dir) {
			break
		}
		// rmdir(2) has removed it and is about to queue the event.
		time.Sleep(time.Millisecond)
	}
	if g.queue.lossAhead() {
		n.kind = unknown
	}
	g.tree.put(dir, n)
}

// drain reads what the kernel has queued.
func (g *Group) drain() {
	bad, err := g.queue.drain()
	if bad {
		g.stats.add(malformed, 1)
		g.hand.lost = reasonMalformed
	}
	if err != nil {
		g.failed = err
	}
}
