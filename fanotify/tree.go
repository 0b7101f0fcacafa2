// SPDX-License-Identifier: Apache-2.0

package fanotify

import (
	"bytes"
	"slices"
)

// maxNodes bounds the tree: about 200 bytes each, so some 13 MB. It is a cache,
// a directory that went costs looking it up again.
const maxNodes = 1 << 16

// maxDepth ends a climb through a tree that is not one.
const maxDepth = 1 << 14

// maxPlaces bounds how many places a directory in doubt may have.
const maxPlaces = 8

// tree is where the directories are, as of the event in hand: it moves forward
// with the renames, creations and deletions in the stream. It does no input or
// output; what it lacks is looked up by the caller, see learn.
type tree struct {
	limit  int
	nodes  map[string]*node
	buried []string // directories whose deletion was seen, still needed for what was queued before
	chain  []*node  // scratch of path
}

// place is a name in a directory; the parent is the key of a directory's ref.
type place struct {
	parent string
	name   string
}

// node is one directory.
type node struct {
	place
	kind kind
	// round is the round of reading, see queue, that an unknown place, the
	// list of left places, or a doubt belongs to.
	round uint64
	// left are the places that renames of this round moved the directory away
	// from. When one of them becomes its place again, each further rename of
	// the same process that equals an earlier one has vanished in that one, as
	// the kernel merges equal events while they wait: from then on to the end
	// of the round the directory may be at any of these places.
	left  []place
	doubt bool
}

type kind uint8

const (
	placed  kind = iota
	anchor       // the root of a mount; its name is the path inside the filesystem
	hidden       // below no mount that we see
	unknown      // could not be found; to be tried again in the next round
	shut         // the same, as a mount went away that may have shown it
)

func newTree() *tree { return &tree{limit: maxNodes, nodes: make(map[string]*node)} }

// put records where dir is.
func (t *tree) put(dir ref, n node) {
	t.nodes[string(dir)] = &n
}

// trim makes room when there are too many directories: an eighth of them,
// whichever come first, goes, but for those that were renamed in this round,
// whose doubts must not be forgotten. It is called between events, so that no
// look-up loses what it just found.
func (t *tree) trim(round uint64) {
	n := len(t.nodes) - t.limit
	if n <= 0 {
		return
	}
	n += t.limit / 8
	for key, old := range t.nodes {
		if old.left != nil && old.round == round {
			continue
		}
		delete(t.nodes, key)
		if n--; n == 0 {
			return
		}
	}
}

// move follows a rename that was read in round.
func (t *tree) move(dir ref, from, to place, round uint64) {
	n := node{place: to, round: round}
	if old := t.nodes[string(dir)]; old != nil && old.round == round {
		n.left = old.left
	}
	n.left = append(n.left, from)
	n.doubt = slices.Contains(n.left, to)
	t.put(dir, n)
}

// bury follows a deletion. The node stays for now: what happened inside the
// directory may stand behind its deletion, when that was merged into the event
// of its creation.
func (t *tree) bury(dir ref) { t.buried = append(t.buried, string(dir)) }

// rest is called when no event is waiting.
func (t *tree) rest() {
	for _, key := range t.buried {
		delete(t.nodes, key)
	}
	t.buried = t.buried[:0]
}

// forget drops the nodes that match.
func (t *tree) forget(match func(key string, n *node) bool) {
	for key, n := range t.nodes {
		if match(key, n) {
			delete(t.nodes, key)
		}
	}
}

// get returns the node of dir as far as it still holds in round.
func (t *tree) get(dir string, round uint64) *node {
	n := t.nodes[dir]
	if n == nil || n.round == round {
		return n
	}
	if n.doubt || n.kind == unknown || n.kind == shut {
		delete(t.nodes, dir)
		return nil
	}
	n.left = nil
	return n
}

// answer is what a climb came to.
type answer uint8

const (
	found    answer = iota
	nowhere         // no path that we could see
	barred          // none since a mount went away
	doubtful        // one of several paths, see paths
	missing         // a directory must be looked up first
)

// path appends to dst the path of dir inside its filesystem, without a slash at
// its end, so that the root is "". For missing it returns the directory that is
// not in the tree.
func (t *tree) path(dst []byte, dir ref, round uint64) (path []byte, lacks ref, a answer) {
	t.chain = t.chain[:0]
	n := t.getRef(dir, round)
	for key := ""; ; n = t.get(key, round) {
		switch {
		case n == nil && key == "":
			return dst, dir, missing
		case n == nil:
			return dst, ref(key), missing
		case n.doubt:
			return dst, nil, doubtful
		case n.kind == shut:
			return dst, nil, barred
		case n.kind == hidden, n.kind == unknown, len(t.chain) > maxDepth:
			return dst, nil, nowhere
		}
		t.chain = append(t.chain, n)
		if n.kind == anchor {
			return t.unroll(dst), nil, found
		}
		key = n.parent
	}
}

// getRef is get without making a string of dir.
func (t *tree) getRef(dir ref, round uint64) *node {
	if n := t.nodes[string(dir)]; n != nil && n.round == round {
		return n
	}
	return t.get(string(dir), round)
}

// unroll appends the names of the chain from the root on.
func (t *tree) unroll(dst []byte) []byte {
	for i := len(t.chain) - 1; i >= 0; i-- {
		n := t.chain[i]
		if n.kind == anchor {
			dst = append(dst, bytes.TrimSuffix([]byte(n.name), []byte("/"))...)
			continue
		}
		dst = append(dst, '/')
		dst = append(dst, n.name...)
	}
	return dst
}

// paths returns every path that dir may have, for one that is doubtful, or the
// directory that must be looked up before that can be said. With more than
// maxPlaces, or a path that cannot be seen, it returns none.
func (t *tree) paths(dir string, round uint64) (paths []string, lacks ref) {
	return t.pathsWithin(dir, round, maxDepth)
}

func (t *tree) pathsWithin(dir string, round uint64, depth int) (paths []string, lacks ref) {
	n := t.get(dir, round)
	switch {
	case depth == 0:
		return nil, nil
	case n == nil:
		return nil, ref(dir)
	case n.kind == anchor:
		return []string{string(bytes.TrimSuffix([]byte(n.name), []byte("/")))}, nil
	case n.kind != placed:
		return nil, nil
	}
	places := []place{n.place}
	if n.doubt {
		places = append(places, n.left...)
	}
	slices.SortFunc(places, place.compare)
	for _, p := range slices.Compact(places) {
		above, lacks := t.pathsWithin(p.parent, round, depth-1)
		if lacks != nil || len(above) == 0 || len(paths)+len(above) > maxPlaces {
			return nil, lacks
		}
		for _, path := range above {
			paths = append(paths, path+"/"+p.name)
		}
	}
	return paths, nil
}

func (p place) compare(q place) int {
	if c := bytes.Compare([]byte(p.parent), []byte(q.parent)); c != 0 {
		return c
	}
	return bytes.Compare([]byte(p.name), []byte(q.name))
}
