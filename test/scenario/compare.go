// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Compare returns what is wrong with the events that came, or "" when they are
// just those that were expected, in that order.
//
// With merged the backend may tell what one process did to one file in another
// order, and what it did again only once: then the order does not count, and
// an operation of [repeatable] may come any number of times but none.
func Compare(want []Expectation, got []Record, merged bool) string {
	diff := inOrder
	if merged {
		diff = anyOrder
	}
	wrong := diff(want, got)
	if wrong == "" {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nwant %d events:\n", wrong, len(want))
	for i := range want {
		fmt.Fprintf(&b, "  %s\n", &want[i])
	}
	fmt.Fprintf(&b, "got %d events:\n", len(got))
	for _, r := range got {
		fmt.Fprintf(&b, "  %s\n", r)
	}
	return b.String()
}

func inOrder(want []Expectation, got []Record) string {
	names := map[string]string{}
	for i := range want {
		if i == len(got) {
			return fmt.Sprintf("event %d is missing: %s", i+1, want[i].Source)
		}
		if why := want[i].Differs(got[i], names); why != "" {
			return fmt.Sprintf("event %d: %s; wanted: %s", i+1, why, want[i].Source)
		}
	}
	if len(got) > len(want) {
		return fmt.Sprintf("event %d is extra: %s", len(want)+1, got[len(want)])
	}
	return ""
}

// rearm is how long after a modify another one is told of the same file and process, see
// bpf/src/modify.h: a guest beside others may need that long for two writes.
const rearm = 5 * time.Second

// WithoutRearmed leaves out each modify that is told again only because of that.
func WithoutRearmed(events []Record) []Record {
	type writer [3]string
	last := map[writer]int64{}
	return slices.DeleteFunc(slices.Clone(events), func(r Record) bool {
		var w writer
		for i, key := range []string{"dev", "inode", "proc.pid"} {
			w[i], _ = r.Text(key)
		}
		text, _ := r.Text("ts")
		at, err := strconv.ParseInt(text, 10, 64)
		before, again := last[w]
		switch op, _ := r.Text("op"); {
		case err != nil:
		case op == "close":
			delete(last, w)
		case op == "modify":
			last[w] = at
			return again && at-before >= int64(rearm)
		}
		return false
	})
}

// repeatable are the operations that a process can do to a file again, with
// nothing in between that would tell the two events apart.
var repeatable = []string{"open", "modify", "close", "attrib"}

func anyOrder(want []Expectation, got []Record) string {
	names := map[string]string{}
	seen := make([]bool, len(want))
	for _, r := range got {
		i := pick(want, seen, r, names)
		if i < 0 {
			return fmt.Sprintf("event is extra: %s", r)
		}
		seen[i] = true
	}
	for i := range want {
		if !seen[i] && !toldOnce(&want[i], got, names) {
			return fmt.Sprintf("event is missing: %s", want[i].Source)
		}
	}
	return ""
}

// pick returns the expectation that r is, one that was not seen yet if there
// is one, or -1.
func pick(want []Expectation, seen []bool, r Record, names map[string]string) int {
	for _, again := range []bool{false, true} {
		for i := range want {
			if seen[i] == again && (!again || slices.Contains(repeatable, want[i].Op)) &&
				want[i].Differs(r, names) == "" {
				return i
			}
		}
	}
	return -1
}

// toldOnce tells whether e was merged into an event that another expectation
// was seen as.
func toldOnce(e *Expectation, got []Record, names map[string]string) bool {
	return slices.Contains(repeatable, e.Op) &&
		slices.ContainsFunc(got, func(r Record) bool { return e.Differs(r, names) == "" })
}
