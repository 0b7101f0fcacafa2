// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"fmt"
	"iter"
	"math"
)

// Dead is the state of a directory where nothing at or below it is watched.
const Dead uint32 = 0

// FirstNumber is the lowest number that a state may have.
const FirstNumber uint32 = 1

const (
	// MaxStates is how many states a [DFA] has at most, joined ones included. A
	// new configuration's numbers begin that far above the last one's.
	MaxStates = 1 << 16
	// MaxNames is how many entries all [State].Names of a DFA have at most.
	MaxNames = 1 << 18
	// KeyLen is how many bytes of a name decide a transition. The kernel's key
	// is the state and a buffer of KeyLen+1 bytes, which is what
	// bpf_probe_read_kernel_str fills with the beginning of the name and a NUL.
	KeyLen = 63
)

// Key returns the part of a name that decides a transition. Different names of
// KeyLen bytes and more may have the same key.
func Key(name []byte) []byte { return name[:min(len(name), KeyLen)] }

// ambiguous says whether other names have the key of name.
func ambiguous(name string) bool { return len(name) >= KeyLen }

// State is what a directory's (or any object's) path means to the patterns.
type State struct {
	// Default is the state of a child whose name is not in Names.
	Default uint32
	// Names are the states of children by the [Key] of their name, without
	// those that Default is right for.
	Names map[string]uint32
	// Named says that Names has entries: elsewhere no name need be read.
	Named bool
	// Accept says that an object in this state may itself be watched. Without
	// it only something below may be.
	Accept bool
}

// DFA is a deterministic automaton over the components of host paths, for a
// kernel program that carries states along directories. It only sorts out what
// [Set.Match] need not see: whatever Match accepts ends in a state with Accept,
// and no state on the way there is [Dead], but more may pass. It knows names
// and "any other name"; a component with wildcards means any name in an include
// and no name in an exclude, and so does a name that its key does not tell.
//
// Numbers are stable: [DFA.Join] adds states and never changes one. A DFA is
// not safe for concurrent use.
type DFA struct {
	first  uint32
	start  uint32
	states []State // states[i] has the number first+i
	names  int     // entries of all Names
	most   limits

	// Join works on sets of the states that the patterns gave, see join.go.
	parts  map[uint32][]uint32 // what a joined state is made of
	joined map[string]uint32   // finds it by that
}

// DFA builds the automaton of the set, whose states have the numbers from first
// on: [FirstNumber] for the first configuration, [DFA.End] of the last DFA for
// the next, so that a number never means two things to a program that is still
// running. It fails when the patterns need too many states, and names the
// pattern to change.
func (s *Set) DFA(first uint32) (*DFA, error) {
	if first == Dead || first > math.MaxUint32-MaxStates {
		return nil, fmt.Errorf("no state numbers are left from %d on, of which %d are needed: restart to count from %d again", first, MaxStates, FirstNumber)
	}
	return s.automaton(first, limits{MaxStates, MaxNames})
}

func (s *Set) automaton(first uint32, most limits) (*DFA, error) {
	for _, p := range s.patterns {
		if err := p.affordable(); err != nil {
			return nil, err
		}
	}
	b := newSubset(&s.trie, most)
	if !b.build(includeRoot, excludeRoot) {
		return nil, s.tooMany(most)
	}
	d := &DFA{first: first, most: most, parts: map[uint32][]uint32{}, joined: map[string]uint32{}}
	d.take(b)
	return d, nil
}

// take numbers what was built.
func (d *DFA) take(b *subset) {
	number := func(index int) uint32 {
		if index == none {
			return Dead
		}
		return d.first + uint32(index)
	}
	for _, state := range b.states {
		s := State{Default: number(state.others), Accept: state.accept, Named: len(state.names) > 0}
		if s.Named {
			s.Names = make(map[string]uint32, len(state.names))
		}
		for name, to := range state.names {
			s.Names[name] = number(to)
		}
		d.states = append(d.states, s)
	}
	d.start, d.names = number(b.start), b.count
}

// Start returns the state of the host's root directory.
func (d *DFA) Start() uint32 { return d.start }

// Everything returns the state in which the object and all below it are
// watched. Joined with any state it is itself.
func (d *DFA) Everything() uint32 { return d.first }

// First returns the lowest number of a state; the others follow without a gap.
func (d *DFA) First() uint32 { return d.first }

// Len returns how many states there are now, without Dead.
func (d *DFA) Len() int { return len(d.states) }

// End returns the first number that this DFA will never use, whatever is joined.
func (d *DFA) End() uint32 { return d.first + MaxStates }

// State returns the state with a number; the zero State for Dead and for a
// number that no state has. Its Names are not to be written to.
func (d *DFA) State(number uint32) State {
	if i := number - d.first; i < uint32(len(d.states)) {
		return d.states[i]
	}
	return State{}
}

// States returns the states from a number on, with their numbers: from First
// for all, from a former First+Len for those that Join has added since.
func (d *DFA) States(from uint32) iter.Seq2[uint32, State] {
	return func(yield func(uint32, State) bool) {
		for n := max(from, d.first); n-d.first < uint32(len(d.states)); n++ {
			if !yield(n, d.State(n)) {
				return
			}
		}
	}
}

// Step returns the state of a child, as the kernel computes it.
func (d *DFA) Step(number uint32, name []byte) uint32 {
	s := d.State(number)
	if to, ok := s.Names[string(Key(name))]; ok {
		return to
	}
	return s.Default
}
