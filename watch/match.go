// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"bytes"
	"unsafe"

	"github.com/bmatcuk/doublestar/v4"
)

// onStack is how many active nodes are followed without taking memory. A set of
// patterns passes it only if so many different ones with wildcards fit the same
// path at once.
const onStack = 64

// Match returns the name of the most specific include that covers path, and
// whether path is watched: some include covers it and no exclude does. The path
// is absolute and clean, its names may be any bytes. The name belongs to the
// set. Match takes no memory.
func (s *Set) Match(path []byte) (name []byte, ok bool) {
	var a, b [onStack]uint32
	best := noRank
	for _, n := range s.trie.walk(path, a[:0], b[:0]) {
		switch n := &s.trie.nodes[n]; {
		case n.rank == noRank:
		case n.exclude:
			return nil, false
		case best == noRank || n.rank < best:
			best = n.rank
		}
	}
	if best == noRank {
		return nil, false
	}
	return s.names[best], true
}

// Reaches says whether dir or anything below it may be watched. It errs on the
// side of true, and never says false where something is.
func (s *Set) Reaches(dir []byte) bool {
	var a, b [onStack]uint32
	alive := false
	for _, n := range s.trie.walk(dir, a[:0], b[:0]) {
		n := &s.trie.nodes[n]
		if n.exclude && n.self && n.rank != noRank {
			return false // all of it is excluded
		}
		alive = alive || !n.exclude
	}
	return alive
}

// Leads returns the name of the most specific include that something below dir, or
// dir itself, may be covered by, and whether there is any: moving dir then takes
// watched paths away or brings them. It errs on the side of true as Reaches does.
func (s *Set) Leads(dir []byte) (name []byte, ok bool) {
	var a, b [onStack]uint32
	best := noRank
	for _, n := range s.trie.walk(dir, a[:0], b[:0]) {
		switch n := &s.trie.nodes[n]; {
		case n.exclude && n.self && n.rank != noRank:
			return nil, false // all of it is excluded
		case n.exclude || n.lead == noRank:
		case best == noRank || n.lead < best:
			best = n.lead
		}
	}
	if best == noRank {
		return nil, false
	}
	return s.names[best], true
}

// Excludes says whether an exclude covers path, whatever is watched. Excludes takes no
// memory.
func (s *Set) Excludes(path []byte) bool {
	var a, b [onStack]uint32
	for _, n := range s.trie.along(path, s.trie.enter(a[:0], excludeRoot), b[:0], true) {
		if s.trie.nodes[n].rank != noRank {
			return true
		}
	}
	return false
}

// walk returns the nodes that path leads to, in one of the two slices it is
// given; none if no include is among them.
func (t *trie) walk(path []byte, now, next []uint32) []uint32 {
	return t.along(path, t.enter(t.enter(now, includeRoot), excludeRoot), next, false)
}

// along returns the nodes that path leads to from others; none if no include is among
// them and excludes alone do not matter.
func (t *trie) along(path []byte, now, next []uint32, alone bool) []uint32 {
	if len(path) == 0 || path[0] != '/' {
		return nil
	}
	for rest := path[1:]; len(rest) > 0; {
		var name []byte
		name, rest, _ = bytes.Cut(rest, []byte{'/'})
		next = next[:0]
		for _, n := range now {
			next = t.step(next, n, name)
		}
		now, next = next, now
		// Includes come first, since they did at the root and a step keeps the order.
		if len(now) == 0 || !alone && t.nodes[now[0]].exclude {
			return nil
		}
	}
	return now
}

// step adds the nodes to which name leads from the node at to set.
func (t *trie) step(set []uint32, at uint32, name []byte) []uint32 {
	n := &t.nodes[at]
	if n.self {
		set = t.enter(set, at)
	}
	if n.any != 0 {
		set = t.enter(set, n.any)
	}
	if to := n.names[string(name)]; to != 0 {
		set = t.enter(set, to)
	}
	for i := range n.globs {
		if matches(n.globs[i].glob, name) {
			set = t.enter(set, n.globs[i].to)
		}
	}
	return set
}

// matches decides a component with wildcards. The name is looked at as a string
// without a copy, which is safe because doublestar keeps none of it.
func matches(glob string, name []byte) bool {
	return doublestar.MatchUnvalidated(glob, unsafe.String(unsafe.SliceData(name), len(name)))
}
