// SPDX-License-Identifier: Apache-2.0

// Package gotest repeats here what a test binary of Go said in a guest, test by
// test, so that what ran there counts and fails as what ran here does.
package gotest

import (
	"regexp"
	"strings"
)

// Verdict is how a test of the guest ended.
type Verdict string

// The verdicts, as Go prints them.
const (
	Passed   Verdict = "PASS"
	Failed   Verdict = "FAIL"
	Skipped  Verdict = "SKIP"
	Unending Verdict = "" // it began, and then the guest was gone
)

// Result is what the guest said of one test.
type Result struct {
	Name    string
	Verdict Verdict
	Output  string
}

var (
	begins = regexp.MustCompile(`^=== (?:RUN|PAUSE|CONT|NAME) +(\S*)$`)
	ends   = regexp.MustCompile(`^\s*--- (PASS|FAIL|SKIP): (\S+) \(`)
)

// Parse reads what a test binary prints with -test.v=test2json, in which form
// the lines come as the tests end; see "go doc test2json". The tests come in the
// order in which they began.
func Parse(console string) []Result {
	var all []*Result
	known := map[string]*Result{}
	var now *Result // whose output the next line is
	find := func(name string) *Result {
		if known[name] == nil {
			known[name] = &Result{Name: name}
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
			now.Verdict = Verdict(e[1])
		case now != nil:
			now.Output += line
		}
	}
	results := make([]Result, len(all))
	for i, r := range all {
		results[i] = *r
	}
	return results
}

// Leaves leaves out the tests that have subtests, and what stands in front of
// the names. Names that do not begin so are left out too.
func Leaves(all []Result, prefix string) []Result {
	parent := map[string]bool{}
	for _, r := range all {
		for i, c := range r.Name {
			if c == '/' {
				parent[r.Name[:i]] = true
			}
		}
	}
	var own []Result
	for _, r := range all {
		if name, ok := strings.CutPrefix(r.Name, prefix); ok && !parent[r.Name] {
			r.Name = name
			own = append(own, r)
		}
	}
	return own
}
