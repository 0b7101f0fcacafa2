// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"encoding/binary"
	"maps"
	"slices"
)

// none is the index of no state: Dead.
const none = -1

// subset turns the trie into a deterministic automaton, whose states are sets
// of nodes (subset construction). Nodes that behave alike are replaced by one
// before sets are compared, or each of 5,000 directories would have a state of
// its own for "everything below".
type subset struct {
	t     *trie
	leads []bool   // by node: a name leads on to something that matters
	class []uint32 // by node: the one that stands for all that behave like it
	most  limits

	index  map[string]int // finds a state by its nodes
	sets   [][]uint32     // the nodes of each state
	states []subsetState
	start  int
	count  int // entries of all names
}

// limits are how large an automaton may become.
type limits struct{ states, names int }

// subsetState is a State with indices for numbers.
type subsetState struct {
	others int
	names  map[string]int
	accept bool
}

func newSubset(t *trie, most limits) *subset {
	b := &subset{
		t: t, most: most, index: map[string]int{},
		leads: make([]bool, len(t.nodes)), class: make([]uint32, len(t.nodes)),
	}
	b.classify()
	return b
}

// build makes all states that the start, a set of nodes, leads to. State 0 is
// "everything". It gives up and returns false when they pass a limit.
func (b *subset) build(start ...uint32) bool {
	b.add([]uint32{everything})
	var set []uint32
	for _, n := range start {
		set = b.t.enter(set, n)
	}
	b.start = b.add(set)
	for i := 0; i < len(b.sets); i++ {
		state := b.fill(b.sets[i])
		b.states = append(b.states, state)
		b.count += len(state.names)
		if len(b.sets) > b.most.states || b.count > b.most.names {
			return false
		}
	}
	return true
}

// add returns the index of the state that a set of nodes is.
func (b *subset) add(set []uint32) int {
	set = b.reduce(set)
	if len(set) == 0 {
		return none
	}
	key := setKey(set)
	i, ok := b.index[key]
	if !ok {
		i = len(b.sets)
		b.index[key] = i
		b.sets = append(b.sets, set)
	}
	return i
}

// setKey makes a sorted set comparable.
func setKey(set []uint32) string {
	key := make([]byte, 0, 4*len(set))
	for _, n := range set {
		key = binary.LittleEndian.AppendUint32(key, n)
	}
	return string(key)
}

// fill finds where the names lead from a set of nodes.
func (b *subset) fill(set []uint32) subsetState {
	others, named := b.moves(set)
	s := subsetState{others: b.add(others), names: map[string]int{}, accept: b.accepts(set)}
	for _, key := range slices.Sorted(maps.Keys(named)) { // for the same numbers each time
		if to := b.add(slices.Concat(others, named[key])); to != s.others {
			s.names[key] = to
		}
	}
	return s
}

// moves returns the nodes to which any name leads, and those to which a name's
// key leads besides.
func (b *subset) moves(set []uint32) (others []uint32, named map[string][]uint32) {
	named = map[string][]uint32{}
	for _, at := range set {
		n := &b.t.nodes[at]
		if n.self {
			others = b.t.enter(others, at)
		}
		if n.any != 0 {
			others = b.t.enter(others, n.any)
		}
		if !n.exclude {
			for _, e := range n.globs {
				others = b.t.enter(others, e.to)
			}
		}
		for name, to := range n.names {
			if key := string(Key([]byte(name))); !(n.exclude && ambiguous(name)) {
				named[key] = b.t.enter(named[key], to)
			}
		}
	}
	return others, named
}

func (b *subset) accepts(set []uint32) bool {
	accept := false
	for _, n := range set {
		if n := &b.t.nodes[n]; n.rank != noRank {
			if n.exclude {
				return false
			}
			accept = true
		}
	}
	return accept
}
