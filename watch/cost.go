// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"cmp"
	"fmt"
	"slices"
)

// maxAlone is how many states one pattern may need besides one for each of its
// components. Patterns with a ** and names behind it stay far below; each *
// behind a name behind a ** doubles the number, since the automaton has to
// remember for every level whether that name stood there.
const maxAlone = 256

// alone counts the states of a pattern by itself, those of an exclude below
// something that is watched, and stops soon after a limit.
func (p pattern) alone(most limits) int {
	t := newTrie()
	root, start := includeRoot, []uint32{includeRoot}
	if p.exclude {
		root, start = excludeRoot, []uint32{everything, excludeRoot}
	}
	p.addTo(&t, root)
	b := newSubset(&t, most)
	b.build(start...)
	return len(b.sets)
}

// affordable fails when a pattern alone needs too many states.
func (p pattern) affordable() error {
	limit := maxAlone
	for _, sequence := range p.sequences {
		limit += len(sequence)
	}
	if !p.spreads() || p.alone(limits{limit, MaxNames}) <= limit {
		return nil
	}
	return p.wrap(fmt.Errorf("it needs more than %d states in the kernel's automaton, since each * behind a name behind ** doubles them: write out the directories before that name, or put ** in place of the * at the end", limit))
}

// spreads says whether something stands behind a ** of the pattern: its
// positions then go along with those of all other patterns, and multiply.
func (p pattern) spreads() bool {
	return slices.ContainsFunc(p.sequences, func(sequence []component) bool {
		at := slices.IndexFunc(sequence, func(c component) bool { return c.kind == deep })
		return at >= 0 && at < len(sequence)-1
	})
}

// tooMany says that all patterns together pass a limit, and which one to begin
// with: of those that spread, the one that needs the most states by itself.
func (s *Set) tooMany(most limits) error {
	suspects := slices.DeleteFunc(slices.Clone(s.patterns), func(p pattern) bool { return !p.spreads() })
	if len(suspects) == 0 {
		return fmt.Errorf("the %d patterns need more than %d states or %d names in the kernel's automaton: use fewer, or name the directories above them", len(s.patterns), most.states, most.names)
	}
	worst := slices.MaxFunc(suspects, func(a, b pattern) int { return cmp.Compare(a.alone(most), b.alone(most)) })
	return worst.wrap(fmt.Errorf("the patterns together need more than %d states or %d names in the kernel's automaton; this one and %d more with something behind a ** multiply those of all others: write out the directories before it", most.states, most.names, len(suspects)-1))
}
