// SPDX-License-Identifier: Apache-2.0

package watch

import "iter"

// The nodes that every trie has. The last three are for [Set.DFA], which puts
// them in place of all nodes that behave alike.
const (
	includeRoot   uint32 = iota // "/" seen by the includes
	excludeRoot                 // "/" seen by the excludes
	everything                  // an include covers this path and all below
	onlyThis                    // an include covers this path and none below
	onlyThisSpare               // an exclude covers this path and none below
)

// noRank is the rank of a node where no pattern ends.
const noRank = -1

// node is a position in patterns, shared by all that have the same components
// before it. Includes and excludes share none. Zero stands for "no node" in
// edges, since no edge leads to a root.
type node struct {
	names   map[string]uint32 // next node for a name
	globs   []globEdge        // and for names that match
	any     uint32            // and for any name
	deep    uint32            // the ** that may follow here, at zero components
	self    bool              // is a **: any name also leads back to here
	exclude bool
	rank    int // of the most specific pattern that ends here, or noRank
	lead    int // or at a node that can be reached from here
}

type globEdge struct {
	glob string
	to   uint32
}

// trie holds all patterns. A child has a higher number than its parent.
type trie struct {
	nodes []node
	index map[edge]uint32 // where edges lead to, while the trie is built
}

type edge struct {
	from uint32
	component
}

func newTrie() trie {
	return trie{index: map[edge]uint32{}, nodes: []node{
		includeRoot:   {rank: noRank},
		excludeRoot:   {rank: noRank, exclude: true},
		everything:    {self: true},
		onlyThis:      {},
		onlyThisSpare: {exclude: true},
	}}
}

// add puts a pattern under root. Patterns come in the order of their rank.
func (t *trie) add(root uint32, sequence []component, rank int, direct bool) {
	at := root
	for _, c := range sequence {
		at = t.child(at, c)
	}
	switch last := sequence[len(sequence)-1]; {
	case last.kind != exact:
		t.end(at, rank)
	case direct:
		t.end(at, rank)
		t.end(t.child(at, component{anyName, "*"}), rank)
	default: // ** covers the path itself too
		t.end(t.child(at, component{deep, "**"}), rank)
	}
}

// follow fills in where each node leads to, once all patterns are in. Children are
// done before their parents.
func (t *trie) follow() {
	for i := len(t.nodes) - 1; i >= 0; i-- {
		n := &t.nodes[i]
		n.lead = n.rank
		for to := range n.next() {
			if rank := t.nodes[to].lead; rank != noRank && (n.lead == noRank || rank < n.lead) {
				n.lead = rank
			}
		}
	}
}

// next yields the children of a node.
func (n *node) next() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for _, to := range n.names {
			if !yield(to) {
				return
			}
		}
		for _, g := range n.globs {
			if !yield(g.to) {
				return
			}
		}
		for _, to := range []uint32{n.any, n.deep} {
			if to != 0 && !yield(to) {
				return
			}
		}
	}
}

// end notes that a pattern ends at a node; an earlier one is more specific.
func (t *trie) end(at uint32, rank int) {
	if t.nodes[at].rank == noRank {
		t.nodes[at].rank = rank
	}
}

// child returns the node behind a component, made if need be.
func (t *trie) child(from uint32, c component) uint32 {
	key := edge{from, c}
	to := t.index[key]
	if to == 0 {
		to = uint32(len(t.nodes))
		t.index[key] = to
		t.nodes = append(t.nodes, node{rank: noRank, self: c.kind == deep, exclude: t.nodes[from].exclude})
		t.nodes[from].link(c, to)
	}
	return to
}

func (n *node) link(c component, to uint32) {
	switch c.kind {
	case exact:
		if n.names == nil {
			n.names = map[string]uint32{}
		}
		n.names[c.text] = to
	case glob:
		n.globs = append(n.globs, globEdge{c.text, to})
	case anyName:
		n.any = to
	case deep:
		n.deep = to
	}
}

// enter adds a node and the ** that follows it to a set of active nodes. Sets
// are short, so what is in already is found by looking.
func (t *trie) enter(set []uint32, n uint32) []uint32 {
	for _, have := range set {
		if have == n {
			return set
		}
	}
	set = append(set, n)
	if t.nodes[n].deep != 0 {
		return t.enter(set, t.nodes[n].deep)
	}
	return set
}
