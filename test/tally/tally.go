// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// testEvent is a line of "go test -json"; see "go doc test2json" and, for the
// build, "go help buildjson".
type testEvent struct {
	Action      string
	Package     string
	Test        string
	Elapsed     float64
	Output      string
	ImportPath  string // of a build
	FailedBuild string // the ImportPath that made a package fail
}

// tally is the state of one run.
type tally struct {
	w        io.Writer
	allowed  *skips
	packages map[string]*testPackage
	builds   map[string][]byte // output by import path
	above    string            // a file to show above the last line
	passed   int
	failed   int
	skipped  int
}

// testPackage is what is known about a package.
type testPackage struct {
	name   string
	ended  bool
	output []byte
	tests  map[string]*test
}

// test is one test, subtest, example or fuzz target.
type test struct {
	output  []byte
	results []string // "pass", "fail", "skip": one per run, with -count several
	running bool
	parent  bool // has subtests
}

func newTally(w io.Writer, allowed *skips) *tally {
	return &tally{w: w, allowed: allowed, packages: map[string]*testPackage{}, builds: map[string][]byte{}}
}

// line takes one line of input. What is no event (the go command says some
// things in plain text) is shown as it is.
func (t *tally) line(line []byte) {
	var e testEvent
	if err := json.Unmarshal(line, &e); err != nil || e.Action == "" {
		t.w.Write(line)
		return
	}
	switch {
	case e.Action == "build-output":
		t.builds[e.ImportPath] = append(t.builds[e.ImportPath], e.Output...)
	case e.Package == "":
	case e.Test == "":
		t.packageEvent(t.pkg(e.Package), e)
	default:
		t.testEvent(t.pkg(e.Package), e)
	}
}

func (t *tally) pkg(name string) *testPackage {
	p := t.packages[name]
	if p == nil {
		p = &testPackage{name: name, tests: map[string]*test{}}
		t.packages[name] = p
	}
	return p
}

func (t *tally) testEvent(p *testPackage, e testEvent) {
	one := p.tests[e.Test]
	if one == nil {
		one = &test{}
		p.tests[e.Test] = one
		p.markParents(e.Test)
	}
	switch e.Action {
	case "run":
		one.running = true
	case "output":
		one.output = append(one.output, e.Output...)
	case "pass", "skip", "fail":
		one.running = false
		one.results = append(one.results, e.Action)
		if e.Action == "fail" {
			t.show("FAIL", p.name+"."+e.Test, one.output)
		}
		one.output = nil
	}
}

// markParents notes that the tests above name have subtests. A name may hold
// slashes of its own, so not every prefix is a test.
func (p *testPackage) markParents(name string) {
	for i, c := range name {
		if c == '/' && p.tests[name[:i]] != nil {
			p.tests[name[:i]].parent = true
		}
	}
}

func (t *tally) packageEvent(p *testPackage, e testEvent) {
	switch e.Action {
	case "output":
		p.output = append(p.output, e.Output...)
	case "pass", "skip", "fail":
		p.ended = true
		t.closePackage(p, e)
	}
}

// closePackage counts the tests of a package that has ended.
func (t *tally) closePackage(p *testPackage, e testEvent) {
	before := t.failed
	names := slices.Sorted(maps.Keys(p.tests))
	for _, name := range names {
		if one := p.tests[name]; !one.parent {
			t.count(p, name, one)
		}
	}
	for _, name := range names {
		t.countParent(p, name)
	}
	if e.Action == "fail" && t.failed == before {
		t.failed++
		t.show("FAIL", p.name, append(t.builds[e.FailedBuild], p.output...))
	}
	verdict := map[string]string{"pass": "ok  ", "skip": "-   ", "fail": "FAIL"}[e.Action]
	fmt.Fprintf(t.w, "%s %s %.1fs\n", verdict, p.name, e.Elapsed)
	p.output = nil
}

// count counts a test without subtests, once per run.
func (t *tally) count(p *testPackage, name string, one *test) {
	if one.running {
		t.failed++
		t.show("FAIL (did not end)", p.name+"."+name, slices.Concat(one.output, p.output))
	}
	for _, result := range one.results {
		switch result {
		case "pass":
			t.passed++
		case "fail":
			t.failed++
		case "skip":
			t.skip(p.name, name)
		}
	}
}

func (t *tally) skip(pkg, name string) {
	if why := t.allowed.refuse(pkg, name); why != "" {
		t.wrong(fmt.Sprintf("%s.%s: skipped: %s", pkg, name, why))
		return
	}
	t.skipped++
}

// countParent counts a test with subtests that failed by itself.
func (t *tally) countParent(p *testPackage, name string) {
	one := p.tests[name]
	if !one.parent || !slices.Contains(one.results, "fail") {
		return
	}
	for other, sub := range p.tests {
		if strings.HasPrefix(other, name+"/") && (sub.running || slices.Contains(sub.results, "fail")) {
			return
		}
	}
	t.failed++
}

// show prints the output of something that failed, indented under its name.
func (t *tally) show(what, name string, output []byte) {
	fmt.Fprintf(t.w, "%s %s\n", what, name)
	for line := range strings.Lines(string(output)) {
		fmt.Fprintf(t.w, "    %s\n", strings.TrimSuffix(line, "\n"))
	}
}

// wrong counts a failure that is not that of a test.
func (t *tally) wrong(why string) {
	t.failed++
	fmt.Fprintf(t.w, "FAIL %s\n", why)
}

// end prints the last line and tells whether all is well.
func (t *tally) end() bool {
	for _, name := range slices.Sorted(maps.Keys(t.packages)) {
		if p := t.packages[name]; !p.ended {
			t.closePackage(p, testEvent{Action: "fail"})
		}
	}
	ran := t.passed + t.failed + t.skipped
	if ran == 0 {
		fmt.Fprintln(t.w, "FAIL no test ran")
	}
	if text, err := os.ReadFile(t.above); err == nil {
		fmt.Fprintf(t.w, "\n%s\n", text)
	}
	fmt.Fprintf(t.w, "%d passed, %d failed, %d skipped\n", t.passed, t.failed, t.skipped)
	return ran > 0 && t.failed == 0
}
