// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// classify finds the nodes that the kernel cannot tell apart, from the leaves
// up, and which nodes lead on to something.
func (b *subset) classify() {
	known := map[string]uint32{}
	for n := range onlyThisSpare + 1 { // these have no children and stand for their like
		b.class[n] = n
		known[b.signature(n)] = n
	}
	for n := uint32(len(b.t.nodes)) - 1; n > onlyThisSpare; n-- { // children come after their parents
		b.learn(n, known)
	}
	b.learn(includeRoot, known)
	b.learn(excludeRoot, known)
}

func (b *subset) learn(n uint32, known map[string]uint32) {
	b.leads[n] = b.anyMove(n)
	signature := b.signature(n)
	if _, ok := known[signature]; !ok {
		known[signature] = n
	}
	b.class[n] = known[signature]
}

// anyMove says whether some name leads from a node to one that matters.
func (b *subset) anyMove(n uint32) bool {
	others, named := b.moves([]uint32{n})
	for _, to := range named {
		others = append(others, to...)
	}
	return slices.ContainsFunc(others, b.matters)
}

// matters says whether being at a node tells more than being at the ** that
// follows it, which is always in the same set.
func (b *subset) matters(n uint32) bool { return b.t.nodes[n].rank != noRank || b.leads[n] }

// signature tells how a node behaves, given how its children do.
func (b *subset) signature(n uint32) string {
	at := &b.t.nodes[n]
	var s strings.Builder
	fmt.Fprint(&s, at.exclude, at.self, at.rank != noRank) // a ** behind it is in the same sets by itself
	others, named := b.moves([]uint32{n})
	fmt.Fprint(&s, b.classes(n, others))
	for _, key := range slices.Sorted(maps.Keys(named)) {
		fmt.Fprintf(&s, "%q%d", key, b.classes(n, named[key]))
	}
	return s.String()
}

// classes returns the classes to which a node leads, itself left out.
func (b *subset) classes(n uint32, to []uint32) []uint32 {
	var all []uint32
	for _, to := range to {
		if to != n {
			all = append(all, b.class[to])
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// reduce returns the smallest set of nodes that behaves like set, sorted; empty
// when nothing at or below such a path is watched.
func (b *subset) reduce(set []uint32) []uint32 {
	alike := make([]uint32, 0, len(set))
	for _, n := range set {
		at := &b.t.nodes[n]
		switch ends := at.rank != noRank; {
		case ends && at.self && at.exclude:
			return nil // all below is excluded
		case ends && at.self:
			alike = append(alike, everything)
		case b.matters(n):
			alike = append(alike, b.class[n])
		}
	}
	slices.Sort(alike)
	return b.prune(slices.Compact(alike))
}

// prune drops the nodes that others in a set make meaningless.
func (b *subset) prune(set []uint32) []uint32 {
	all := slices.Contains(set, everything)
	spared := slices.ContainsFunc(set, func(n uint32) bool { return b.t.nodes[n].exclude && b.t.nodes[n].rank != noRank })
	set = slices.DeleteFunc(set, func(n uint32) bool {
		return !b.t.nodes[n].exclude && (all && n != everything || spared && n == onlyThis)
	})
	// With no include that goes on below, no exclude can matter there.
	below := slices.ContainsFunc(set, func(n uint32) bool { return !b.t.nodes[n].exclude && n != onlyThis })
	if !below {
		set = slices.DeleteFunc(set, func(n uint32) bool { return b.t.nodes[n].exclude })
	}
	return set
}
