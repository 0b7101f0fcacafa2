// SPDX-License-Identifier: Apache-2.0

package fanotify

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

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
	// doubt is why the name may be watched or not; then watch and leads are nil.
	doubt []byte
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
	case barred:
		s.lost = true
		if slices.ContainsFunc(g.tables, func(t *mount.Table) bool { return lists(t, f) }) {
			s.doubt = reasonMounts
		}
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

// show finds how a path inside a filesystem is seen, as far as all tables agree that may
// have held when the event in hand happened.
func (g *Group) show(f *filesystem, inFS []byte, s *side) {
	tables := g.tables
	for len(tables) > 1 && !lists(tables[0], f) {
		tables = tables[1:] // read before it was mounted
	}
	g.showBy(tables[0], f, inFS, s)
	for _, t := range tables[1:] {
		if !lists(t, f) {
			s.hide() // unmounted meanwhile, but who used it may do so still
			continue
		}
		var o side
		g.showBy(t, f, inFS, &o)
		s.agree(&o, reasonMounts)
	}
	if g.cut {
		s.hide()
		s.watch, s.leads, s.doubt = nil, nil, reasonMounts
	}
}

// lists says whether the filesystem is mounted by a table.
func lists(t *mount.Table, f *filesystem) bool {
	return slices.ContainsFunc(t.Mounts(), func(m mount.Mount) bool { return m.Dev == f.dev })
}

// showBy finds by which host path of a mount table a path inside a filesystem is seen: one
// that a pattern names, else one that leads to a pattern, else the first.
func (g *Group) showBy(t *mount.Table, f *filesystem, inFS []byte, s *side) {
	g.paths = t.HostPaths(g.paths[:0], f.dev, inFS)
	for i := range g.paths {
		p := &g.paths[i]
		if g.hand.mask&unix.FAN_RENAME != 0 && string(p.Host) == p.Mount.Point && !named(t, f, inFS, p.Host) {
			continue // see naming
		}
		watch, ok := g.set.Match(p.Host)
		var leads []byte
		if !ok && s.leads == nil && (g.hand.movesDirectory() || g.handlesTree(f)) {
			leads, _ = g.set.Leads(p.Host)
		}
		if ok || leads != nil || len(s.host) == 0 {
			s.host, s.mount, s.leads = append(s.host[:0], p.Host...), p.Mount, leads
		}
		if ok {
			s.watch = watch
			return
		}
	}
}

// isBound says whether the file is seen where it is mounted by itself, and its directory is not:
// there it has a name that is none of the directory's.
func (g *Group) isBound(f *filesystem, s *side) bool {
	return s.mount != nil && string(s.host) == s.mount.Point && !named(g.newest(), f, s.inFS, s.host)
}

// named says whether a path on the host is the name that a path inside a filesystem has in its
// directory. A file that is mounted over itself keeps it.
func named(t *mount.Table, f *filesystem, inFS, host []byte) bool {
	leaf := bytes.LastIndexByte(inFS, '/')
	return slices.ContainsFunc(t.HostPaths(nil, f.dev, inFS[:max(1, leaf)]), func(above mount.Path) bool {
		return strings.TrimSuffix(string(above.Host), "/")+string(inFS[leaf:]) == string(host)
	})
}

// hide leaves out by which path the name is seen.
func (s *side) hide() { s.host, s.mount = s.host[:0], nil }

// agree leaves of s what o says as well. If only one of them is watched, why says what that
// doubt comes from.
func (s *side) agree(o *side, why []byte) {
	switch {
	case !bytes.Equal(s.host, o.host):
		s.hide()
	case s.mount != nil && o.mount != nil && s.mount.Point != o.mount.Point:
		s.mount = nil // the same path, through another
	}
	named := s.named() || o.named()
	s.watch, s.leads = common(s.watch, o.watch), common(s.leads, o.leads)
	switch {
	case o.doubt != nil:
		s.doubt = o.doubt
	case named && !s.named():
		s.doubt = why
	}
}

// named says whether a pattern names what is there, or something below it that comes and
// goes with it.
func (s *side) named() bool { return s.watch != nil || s.leads != nil }

// common is the pattern by which both are named, empty if each is by another.
func common(a, b []byte) []byte {
	switch {
	case a == nil || b == nil:
		return nil
	case !bytes.Equal(a, b):
		return []byte{}
	}
	return a
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
	s.reset()
	if len(paths) == 0 { // too many places, or one that cannot be seen
		s.doubt = reasonMerged
		return
	}
	g.show(f, join([]byte(paths[0]), name), s)
	for _, path := range paths[1:] {
		var o side
		g.show(f, join([]byte(path), name), &o)
		s.agree(&o, reasonMerged)
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
