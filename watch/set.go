// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"cmp"
	"errors"
	"maps"
	"slices"
)

// Options is what [Compile] compiles.
type Options struct {
	Include []Pattern
	// Exclude beats Include.
	Exclude []Pattern
	// Direct makes an include whose last component has no wildcard cover the
	// path itself and its direct children, not everything below.
	Direct bool
}

// Set is a compiled set of patterns. It never changes, so any number of
// goroutines may use it at once.
type Set struct {
	trie     trie
	names    [][]byte // of the includes, by rank
	prefixes []string
	patterns []pattern
}

// pattern is one that was parsed.
type pattern struct {
	Pattern
	sequences       [][]component
	exclude, direct bool
}

// rule is one path that the braces of an include stand for.
type rule struct {
	sequence []component
	pattern
}

// Compile compiles patterns. The error names each pattern that is refused, why,
// and what to write instead; see the package comment.
func Compile(o Options) (*Set, error) {
	if len(o.Include) == 0 {
		return nil, errors.New("no pattern to watch: name at least one path, such as /etc")
	}
	patterns, err := parseAll(o)
	if err != nil {
		return nil, err
	}
	s := &Set{trie: newTrie(), patterns: patterns}
	include := includes(patterns)
	for rank, r := range include {
		s.names = append(s.names, []byte(r.name()))
		s.trie.add(includeRoot, r.sequence, rank, r.direct)
	}
	for _, p := range patterns {
		if p.exclude {
			p.addTo(&s.trie, excludeRoot)
		}
	}
	s.trie.index = nil
	s.trie.follow()
	s.prefixes = prefixes(include)
	return s, nil
}

func parseAll(o Options) ([]pattern, error) {
	var all []pattern
	var errs []error
	parseOne := func(p pattern) {
		var err error
		if p.sequences, err = parse(p.Glob); err != nil {
			errs = append(errs, p.wrap(err))
		}
		all = append(all, p)
	}
	for _, p := range o.Include {
		parseOne(pattern{Pattern: p, direct: o.Direct})
	}
	for _, p := range o.Exclude {
		parseOne(pattern{Pattern: p, exclude: true})
	}
	return all, errors.Join(errs...)
}

// addTo adds a pattern whose rank does not matter.
func (p pattern) addTo(t *trie, root uint32) {
	for _, sequence := range p.sequences {
		t.add(root, sequence, 0, p.direct)
	}
}

// includes returns the includes by rank, the most specific first.
func includes(patterns []pattern) []rule {
	var all []rule
	for _, p := range patterns {
		for _, sequence := range p.sequences {
			if !p.exclude {
				all = append(all, rule{sequence, p})
			}
		}
	}
	slices.SortStableFunc(all, moreSpecific)
	return all
}

// moreSpecific orders includes as the package comment says; the sort is stable,
// which leaves the rest to their order in the list.
func moreSpecific(a, b rule) int {
	return cmp.Or(
		cmp.Compare(literals(b.sequence), literals(a.sequence)),
		cmp.Compare(len(b.Glob), len(a.Glob)),
	)
}

// Prefixes returns the leading components without wildcards of each include, as
// paths, sorted, each once: where to look for the filesystems that hold what is
// watched. Such a path may be a directory or a file, or not exist yet.
func (s *Set) Prefixes() []string { return slices.Clone(s.prefixes) }

func prefixes(include []rule) []string {
	set := map[string]bool{}
	for _, r := range include {
		set[prefix(r.sequence)] = true
	}
	return slices.Sorted(maps.Keys(set))
}
