// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"regexp"
	"strings"
)

// verdict is how a test of the guest ended.
type verdict string

const (
	passed   verdict = "PASS"
	failed   verdict = "FAIL"
	skipped  verdict = "SKIP"
	unending verdict = "" // it began, and then the guest was gone
)

// result is what the guest said of one test.
type result struct {
	name    string
	verdict verdict
	output  string
}

var (
	begins = regexp.MustCompile(`^=== (?:RUN|PAUSE|CONT|NAME) +(\S*)$`)
	ends   = regexp.MustCompile(`^\s*--- (PASS|FAIL|SKIP): (\S+) \(`)
)

// parse reads what a test binary prints with -test.v=test2json, in which form
// the lines come as the tests end; see "go doc test2json". The tests come in the
// order in which they began.
func parse(console string) []result {
	var all []*result
	known := map[string]*result{}
	var now *result // whose output the next line is
	find := func(name string) *result {
		if known[name] == nil {
			known[name] = &result{name: name}
			all = append(all, known[name])
		}
		return known[name]
	}
	for line := range strings.Lines(console) {
		bare := strings.TrimRight(line, "\r\n")
		switch m, e := begins.FindStringSubmatch(bare), ends.FindStringSubmatch(bare); {
		case m != nil && m[1] == "":
			now = nil
		case m != nil:
			now = find(m[1])
		case e != nil:
			now = find(e[2])
			now.verdict = verdict(e[1])
		case now != nil:
			now.output += line
		}
	}
	results := make([]result, len(all))
	for i, r := range all {
		results[i] = *r
	}
	return results
}

// leaves leaves out the tests that have subtests, and what stands in front of
// the names. Names that do not begin so are left out too.
func leaves(all []result, prefix string) []result {
	parent := map[string]bool{}
	for _, r := range all {
		for i, c := range r.name {
			if c == '/' {
				parent[r.name[:i]] = true
			}
		}
	}
	var own []result
	for _, r := range all {
		if name, ok := strings.CutPrefix(r.name, prefix); ok && !parent[r.name] {
			r.name = name
			own = append(own, r)
		}
	}
	return own
}
