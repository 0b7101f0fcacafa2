// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"path"
	"strings"
	"testing"
)

func FuzzPatternsAndPaths(f *testing.F) {
	for _, seed := range [][3]string{
		{"/etc", "/etc/ssh", "/etc/passwd"},
		{"/home/*/.ssh/**", "/**/*.pub", "/home/a/.ssh/id.pub"},
		{`/{a,{b\,,[,}]}}/\*`, "/[^a]?", "/b,/*"},
		{"/**/x/*/*/*/*/*/*/*/*", "/{,}", "/x/\xff\n"},
		{"/" + strings.Repeat("k", 80), "/" + strings.Repeat("k", 63), "/" + strings.Repeat("k", 79)},
		{"/a{b", "/a**b", "//"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, include, exclude, name string) {
		s, err := Compile(Options{Include: patterns(include), Exclude: patterns(exclude)})
		if err != nil {
			s, err = Compile(Options{Include: patterns(include)})
		}
		if err != nil {
			return
		}
		clean := path.Clean("/" + strings.ReplaceAll(name, "\x00", ""))
		_, ok := s.Match([]byte(clean))
		s.Match([]byte(name)) // not clean, perhaps: must only not panic
		if d, err := s.DFA(FirstNumber); err == nil && ok {
			checkPath(t, s, d, clean)
		}
	})
}

// checkPath says whether the automaton and Reaches agree that a watched path is.
func checkPath(t *testing.T, s *Set, d *DFA, watched string) {
	if !d.State(lead(d, d.Start(), watched)).Accept {
		t.Errorf("the automaton drops %q", watched)
	}
	for _, dir := range ancestors(watched) {
		if !s.Reaches([]byte(dir)) || lead(d, d.Start(), dir) == Dead {
			t.Errorf("%q is cut off at %q", watched, dir)
		}
	}
}
