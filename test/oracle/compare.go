// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Report is what was found in an episode.
type Report struct {
	// Ops counts calls, Wanted what they must cause, Events what was told.
	Ops, Wanted, Events   int
	Missing, Extra, Wrong []string
	// By is Wanted by operation.
	By map[string]int
	// Kinds are the ways in which it is bad: which operations are missing or extra, and
	// what is wrong with which.
	Kinds map[string]bool
	// Order is what was expected of the first thread of which it is bad, beside what came.
	Order string
}

// kind notes a way in which the report is bad.
func (r *Report) kind(words ...string) {
	if r.Kinds == nil {
		r.Kinds = map[string]bool{}
	}
	r.Kinds[strings.Join(words, " ")] = true
}

// like tells whether two reports have a kind in common.
func (r *Report) like(o *Report) bool {
	for kind := range r.Kinds {
		if o.Kinds[kind] {
			return true
		}
	}
	return false
}

func (r *Report) bad() bool { return len(r.Missing)+len(r.Extra)+len(r.Wrong) > 0 }

func (r *Report) add(o Report) {
	r.Ops, r.Events = r.Ops+o.Ops, r.Events+o.Events
	r.Missing, r.Extra, r.Wrong = append(r.Missing, o.Missing...), append(r.Extra, o.Extra...), append(r.Wrong, o.Wrong...)
	r.Order = cmp.Or(r.Order, o.Order)
	for op, n := range o.By {
		r.want(op, n)
	}
}

// want counts expected events of an operation.
func (r *Report) want(op string, n int) {
	if r.By == nil {
		r.By = map[string]int{}
	}
	r.By[op] += n
	r.Wanted += n
}

// Counts is the report in one line.
func (r *Report) Counts() string {
	return fmt.Sprintf("%d operations, %d expected events, %d events: %d missing, %d extra, %d wrong", r.Ops, r.Wanted, r.Events, len(r.Missing), len(r.Extra), len(r.Wrong))
}

func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintln(&b, r.Counts())
	for _, l := range []struct {
		kind  string
		lines []string
	}{{"missing", r.Missing}, {"extra", r.Extra}, {"wrong", r.Wrong}} {
		for i, line := range l.lines {
			if i == 10 {
				fmt.Fprintf(&b, "  and %d more %s\n", len(l.lines)-i, l.kind)
				break
			}
			fmt.Fprintf(&b, "  %s: %s\n", l.kind, line)
		}
	}
	if r.Order != "" {
		fmt.Fprintf(&b, "  expected of that thread, and told of it:\n%s", r.Order)
	}
	return b.String()
}

func (r *Report) missing(e Expect) {
	if !e.Maybe {
		r.kind("missing", e.Record["op"])
		r.Missing = append(r.Missing, fmt.Sprintf("%s\n    of %s", e.Record, e.Step))
	}
}

func (r *Report) extra(got Record) {
	r.kind("extra", got["op"])
	r.Extra = append(r.Extra, got.String())
}

func (r *Report) wrong(e Expect, got Record) {
	why := e.differs(got)
	r.kind("wrong", got["op"], why[:strings.Index(why, " ")])
	r.Wrong = append(r.Wrong, fmt.Sprintf("%s: %s\n    of %s", got, why, e.Step))
}

// explains tells whether all that was told of a thread is what it did, in that order, with
// only such left out as may be.
func explains(want []Expect, got []Record) bool {
	type point struct{ want, got int }
	dead := map[point]bool{}
	var from func(p point) bool
	from = func(p point) bool {
		switch {
		case dead[p]:
			return false
		case p.want == len(want):
			return p.got == len(got)
		}
		e := want[p.want]
		if p.got < len(got) && e.differs(got[p.got]) == "" && from(point{p.want + 1, p.got + 1}) {
			return true
		}
		if e.Maybe && from(point{p.want + 1, p.got}) {
			return true
		}
		dead[p] = true
		return false
	}
	return from(point{})
}

// inOrder compares what one thread did with what was told of it, one by one.
func (r *Report) inOrder(want []Expect, got []Record) {
	if explains(want, got) {
		return
	}
	for len(want) > 0 && len(got) > 0 {
		e, g := want[0], got[0]
		if e.differs(g) == "" {
			want, got = want[1:], got[1:]
			continue
		}
		if e.Maybe {
			want = want[1:]
			continue
		}
		later := slices.IndexFunc(want, func(e Expect) bool { return e.differs(g) == "" })
		sooner := slices.IndexFunc(got, func(g Record) bool { return e.differs(g) == "" })
		switch {
		case later > 0 && (sooner < 0 || later <= sooner):
			r.missing(e)
			want = want[1:]
		case sooner > 0:
			r.extra(g)
			got = got[1:]
		case e.Record["op"] == g["op"]:
			r.wrong(e, g)
			want, got = want[1:], got[1:]
		default:
			r.missing(e)
			want = want[1:]
		}
	}
	r.rest(want, got)
}

func (r *Report) rest(want []Expect, got []Record) {
	for _, e := range want {
		r.missing(e)
	}
	for _, g := range got {
		r.extra(g)
	}
}

// merged compares where events may be merged: each must come, in any order, and only
// what was done again may come once for all.
func (r *Report) merged(want []Expect, got []Record) {
	seen := make([]bool, len(want))
	var left []Record
	for _, g := range got {
		if i := find(want, seen, g); i >= 0 {
			seen[i] = true
		} else {
			left = append(left, g)
		}
	}
	for i, e := range want {
		if seen[i] || slices.ContainsFunc(got, func(g Record) bool { return e.differs(g) == "" }) {
			continue
		}
		j := slices.IndexFunc(left, func(g Record) bool {
			return either(e.Record["op"], g["op"]) && (g["inode"] == e.Record["inode"] || g["host_path"] == e.Record["host_path"])
		})
		if j < 0 {
			r.missing(e)
			continue
		}
		r.wrong(e, left[j])
		left = slices.Delete(left, j, j+1)
	}
	r.rest(nil, left)
}

// find returns which of the events g is: one not seen yet, or else one that may come
// again; -1 if it is none.
func find(want []Expect, seen []bool, g Record) int {
	again := -1
	for i, e := range want {
		if e.differs(g) != "" {
			continue
		}
		if !seen[i] {
			return i
		}
		if e.repeatable() {
			again = i
		}
	}
	return again
}
