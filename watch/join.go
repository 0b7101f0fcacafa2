// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"maps"
	"slices"
)

// A directory that has several host paths, because it is bind-mounted or its
// filesystem mounted twice, is watched if it is by any of them. So a joined
// state is a set of states that step side by side. It is not the union of their
// nodes: an exclude speaks of one path and must not hide another.

// Join returns the state of a directory that has both the state a and the state
// b, and adds it, with all that it leads to, if it is new: see [DFA.States] for
// those to ship. When no more states fit, Everything stands in for the join,
// which lets too much pass and misses nothing.
func (d *DFA) Join(a, b uint32) uint32 {
	from := len(d.states)
	to := d.intern(slices.Concat(d.partsOf(a), d.partsOf(b)))
	for i := from; i < len(d.states); i++ { // filling one may add more
		d.fill(d.first + uint32(i))
	}
	return to
}

// partsOf returns the states of the patterns' own automaton that a state is
// made of.
func (d *DFA) partsOf(number uint32) []uint32 {
	if parts, ok := d.parts[number]; ok {
		return parts
	}
	if number-d.first >= uint32(len(d.states)) {
		return nil // Dead
	}
	return []uint32{number}
}

// intern returns the number of the state that is made of parts, which it sorts.
// A new one is yet to be filled.
func (d *DFA) intern(parts []uint32) uint32 {
	slices.Sort(parts)
	parts = slices.Compact(parts)
	switch {
	case len(parts) == 0:
		return Dead
	case len(parts) == 1:
		return parts[0]
	case parts[0] == d.Everything(): // the lowest number
		return parts[0]
	}
	key := setKey(parts)
	number, ok := d.joined[key]
	switch {
	case ok:
		return number
	case len(d.states) >= d.most.states:
		return d.Everything()
	}
	number = d.first + uint32(len(d.states))
	d.states = append(d.states, State{})
	d.joined[key], d.parts[number] = number, parts
	return number
}

// fill finds where the names lead from a joined state.
func (d *DFA) fill(number uint32) {
	var s State
	keys := map[string]bool{}
	for _, part := range d.parts[number] {
		p := d.State(part)
		s.Accept = s.Accept || p.Accept
		for key := range p.Names {
			keys[key] = true
		}
	}
	if d.names+len(keys) > d.most.names {
		s.Default = d.Everything()
	} else {
		s.Default = d.after(number, nil)
		s.Names = d.namesAfter(number, s.Default, keys)
	}
	s.Named = len(s.Names) > 0
	d.names += len(s.Names)
	d.states[number-d.first] = s
}

func (d *DFA) namesAfter(number, others uint32, keys map[string]bool) map[string]uint32 {
	names := map[string]uint32{}
	for _, key := range slices.Sorted(maps.Keys(keys)) { // for the same numbers each time
		if to := d.after(number, []byte(key)); to != others {
			names[key] = to
		}
	}
	return names
}

// after joins what the parts of a state lead to; no file has the empty name, so
// nil stands for a name that no pattern mentions.
func (d *DFA) after(number uint32, name []byte) uint32 {
	var parts []uint32
	for _, part := range d.parts[number] {
		if to := d.Step(part, name); to != Dead {
			parts = append(parts, to)
		}
	}
	return d.intern(parts)
}
