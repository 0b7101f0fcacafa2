// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	_ "embed"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Merged is the WHAT of a backend that merges events before they are read.
const Merged = "merged"

//go:embed cannot.txt
var cannotText string

// Cannot is one thing that a backend cannot know. What is a key, which its
// events never have; OP:KEY for a key that its events of that operation need not
// have; OP=OP for an operation that it reports as another, OP=- for one that it
// does not report; failed:ERRNO for attempts that were refused so, which it does
// not report; or [Merged].
type Cannot struct{ Backend, What, Reason string }

// CannotTable returns the rows of cannot.txt, from which documentation may be
// made: each is asserted by a script.
func CannotTable() ([]Cannot, error) { return parseCannot(cannotText) }

func parseCannot(text string) ([]Cannot, error) {
	var rows []Cannot
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if len(words) < 3 {
			return nil, fmt.Errorf("cannot.txt: %q: want BACKEND WHAT REASON", line)
		}
		rows = append(rows, Cannot{words[0], words[1], strings.Join(words[2:], " ")})
	}
	return rows, nil
}

// onFilesystem are the limits that hold on one kind of filesystem, whatever the
// script: backend and filesystem to each WHAT.
var onFilesystem = map[[2]string][]string{
	{"ebpf", "btrfs"}:   {"modify:res"},
	{"ebpf", "overlay"}: {"old.acl"},
}

// typesOf is what the backend cannot know where the kernel has the filesystem as a module
// and tells nobody its types.
func typesOf(backend, fs string) []string {
	_, err := os.Stat("/sys/kernel/btf/" + fs)
	if backend == "ebpf" && fs == "btrfs" && err != nil {
		return []string{"dev"}
	}
	return nil
}

// DeclareFor adds what the backend cannot know on a filesystem.
func (l Limits) DeclareFor(rows []Cannot, backend, fs string) error {
	for _, what := range append(typesOf(backend, fs), onFilesystem[[2]string{backend, fs}]...) {
		if err := l.Declare(rows, backend, what); err != nil {
			return err
		}
		l[what] = true // every event asserts it
	}
	return nil
}

// Limits are what a script declared that the backend it runs on cannot know.
// The value tells whether an expectation depended on it.
type Limits map[string]bool

// Declare adds a WHAT, which must stand in the table for that backend.
func (l Limits) Declare(rows []Cannot, backend, what string) error {
	if !slices.ContainsFunc(rows, func(c Cannot) bool { return c.Backend == backend && c.What == what }) {
		return fmt.Errorf("cannot.txt has no row %q %q: add it with its reason", backend, what)
	}
	l[what] = what == Merged
	return nil
}

// Apply turns what every backend should report into what this one can. What it
// cannot know is not skipped but must be absent, and of refused attempts the
// whole event.
func (l Limits) Apply(all []Expectation) []Expectation {
	var out []Expectation
	for _, e := range all {
		if e.Op = l.op(e.Op); e.Op == Absent {
			continue
		}
		if l.hides(&e) {
			continue
		}
		e.Want = slices.DeleteFunc(slices.Clone(e.Want), func(w Want) bool { return l.meets(e.Op + ":" + w.Key) })
		for i := range e.Want {
			if l.meets(e.Want[i].Key) {
				e.Want[i].Value = Absent
			}
		}
		out = append(out, e)
	}
	return out
}

// meets tells whether what was declared, and notes that it mattered.
func (l Limits) meets(what string) bool {
	_, ok := l[what]
	if ok {
		l[what] = true
	}
	return ok
}

// hides tells whether e is a refused attempt that the backend does not see.
func (l Limits) hides(e *Expectation) bool {
	errno, _ := e.value("res")
	return e.Says(refused) && (l.meets(refused) || l.meets(refused+":"+errno))
}

// op returns as what the backend reports op, of several each.
func (l Limits) op(op string) string {
	var all []string
	for one := range strings.SplitSeq(op, "|") {
		for what := range l {
			if as, ok := strings.CutPrefix(what, one+"="); ok {
				l[what], one = true, as
				break
			}
		}
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return strings.Join(all, "|")
}

// Unused returns a declaration that no expectation depended on, or "": it
// would stand in the documentation with nothing that asserts it.
func (l Limits) Unused() string {
	for what, used := range l {
		if !used {
			return what
		}
	}
	return ""
}
