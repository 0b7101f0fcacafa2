// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Absent as a value says that an event must not have the key, Present that it
// must have it, whatever the value.
const (
	Absent  = "-"
	Present = "*"
)

// Expectation is what one event must be.
type Expectation struct {
	// Op is an operation, or several of which any will do: "symlink|create".
	Op string
	// Want holds what the event's keys must be: text as in [Record.Text], a
	// pattern with <name>, [Absent] or [Present].
	Want []Want
	// Source is the script's line, for messages.
	Source string
}

// Want is one key with its value.
type Want struct{ Key, Value string }

// refused is the key that an event of a refused attempt has, and no other.
const refused = "failed"

// lists are the keys whose values are lists of words.
var lists = []string{"flags", "old.flags", "proc.apid", "proc.aname", "proc.aexepath"}

// ParseExpectation reads the words behind "expect": operations joined by
// commas, one event each; a path; and KEY=VALUE, where the keys are those of
// the JSON lines and "old" is short for old.host_path.
//
// A path that is not absolute lies below root. A value "-" says that the key
// must be absent, "*" that it must be there; "@name" is what resolve knows under that name for that key.
// Of a list the value is all its words, in any order, joined by commas: "O_WRONLY,O_TRUNC"; "*" among them stands for any
// others, and "@name,*" for what resolve knows and any others. Without failed=true the event is one of a change that took place.
// {0..9} inside the path stands for an event of each number, which is {n} in values. <name> stands for any text without a slash, the same text
// wherever the name comes again: programs make up names of temporary files.
func ParseExpectation(words []string, root string, resolve func(key, name string) (string, error)) ([]Expectation, error) {
	if len(words) < 2 {
		return nil, fmt.Errorf("want: expect OP[,OP...] PATH [KEY=VALUE...]")
	}
	want := []Want{{"host_path", below(root, words[1])}}
	for _, word := range words[2:] {
		key, value, ok := strings.Cut(word, "=")
		if !ok {
			return nil, fmt.Errorf("%q: want KEY=VALUE", word)
		}
		if key == "old" {
			key = "old.host_path"
		}
		if key == refused && value != "true" {
			return nil, fmt.Errorf("%q: want failed=true, or nothing of a change that takes place", word)
		}
		if strings.HasSuffix(key, "host_path") {
			value = below(root, value)
		}
		if name, ok := strings.CutPrefix(value, "@"); ok {
			name, others, more := strings.Cut(name, ",")
			var err error
			if value, err = resolve(key, name); err != nil {
				return nil, err
			}
			if more {
				value += "," + others
			}
		}
		want = append(want, Want{key, value})
	}
	var all []Expectation
	for path, number := range each(want[0].Value) {
		for op := range strings.SplitSeq(words[0], ",") {
			one := append([]Want{{want[0].Key, path}}, numbered(want[1:], number)...)
			all = append(all, Expectation{Op: op, Want: one, Source: source(words)})
		}
	}
	return all, nil
}

var span = regexp.MustCompile(`\{(\d+)\.\.(\d+)\}`)

// each yields the paths that a path with {1..9} in it stands for, and the number that
// makes each.
func each(path string) iter.Seq2[string, string] {
	return func(yield func(path, number string) bool) {
		at := span.FindStringSubmatchIndex(path)
		if at == nil {
			yield(path, "")
			return
		}
		first, _ := strconv.Atoi(path[at[2]:at[3]]) // digits, says the expression
		last, _ := strconv.Atoi(path[at[4]:at[5]])
		for i := first; i <= last; i++ {
			number := strconv.Itoa(i)
			if !yield(path[:at[0]]+number+path[at[1]:], number) {
				return
			}
		}
	}
}

// numbered puts a number where values have {n}.
func numbered(want []Want, number string) []Want {
	want = slices.Clone(want)
	for i := range want {
		want[i].Value = strings.ReplaceAll(want[i].Value, "{n}", number)
	}
	return want
}

func source(words []string) string {
	escaped := make([]string, len(words))
	for i, word := range words {
		escaped[i] = Escape(word)
	}
	return strings.Join(escaped, " ")
}

func below(root, path string) string {
	if path == Absent || strings.HasPrefix(path, "/") {
		return path
	}
	return strings.TrimSuffix(root+"/"+path, "/.")
}

// Says tells whether e names key.
func (e *Expectation) Says(key string) bool {
	_, says := e.value(key)
	return says
}

// value returns what e wants of key, and whether it names it.
func (e *Expectation) value(key string) (string, bool) {
	for _, w := range e.Want {
		if w.Key == key {
			return w.Value, true
		}
	}
	return "", false
}

func (e *Expectation) String() string {
	var b strings.Builder
	b.WriteString(e.Op)
	for _, w := range e.Want {
		fmt.Fprintf(&b, " %s=%s", w.Key, Escape(w.Value))
	}
	return b.String()
}

// Differs returns why r is not the event that e wants, or "". It binds the
// <name>s of e in names when r is the event.
func (e *Expectation) Differs(r Record, names map[string]string) string {
	if op, _ := r.Text("op"); !slices.Contains(strings.Split(e.Op, "|"), op) {
		return fmt.Sprintf("op is %s, want %s", op, e.Op)
	}
	if r.Refused() && !e.Says(refused) {
		res, _ := r.Text("res")
		return fmt.Sprintf("it was refused with %s, want that it took place", res)
	}
	bound := map[string]string{}
	for _, w := range e.Want {
		got, ok := r.Text(w.Key)
		switch {
		case !ok && w.Value != Absent:
			return fmt.Sprintf("%s is absent, want %s", w.Key, Escape(w.Value))
		case ok && w.Value == Absent:
			return fmt.Sprintf("%s is %s, want it absent", w.Key, Escape(got))
		case ok && w.Value != Present && slices.Contains(lists, w.Key):
			if !holds(r.Words(w.Key), strings.Split(w.Value, ",")) {
				return fmt.Sprintf("%s is %s, want %s", w.Key, Escape(strings.Join(r.Words(w.Key), ",")), Escape(w.Value))
			}
		case ok && w.Value != Present && !matches(w.Value, got, names, bound):
			return fmt.Sprintf("%s is %s, want %s", w.Key, Escape(got), Escape(w.Value))
		}
	}
	for name, value := range bound {
		names[name] = value
	}
	return ""
}

// holds tells whether a list has just the words that are wanted, each as often;
// with [Present] among them it may have more.
func holds(got, want []string) bool {
	got = slices.Clone(got)
	for _, word := range want {
		if word == Present {
			continue
		}
		i := slices.Index(got, word)
		if i < 0 {
			return false
		}
		got = slices.Delete(got, i, i+1)
	}
	return len(got) == 0 || slices.Contains(want, Present)
}

var placeholder = regexp.MustCompile(`<(\w+)>`)

// matches compares a value, in which a <name> may stand, with what came. It
// adds the names that it met first to bound.
func matches(want, got string, names, bound map[string]string) bool {
	at := placeholder.FindStringSubmatchIndex(want)
	if at == nil {
		return want == got
	}
	name, rest := want[at[2]:at[3]], want[at[1]:]
	tail, ok := strings.CutPrefix(got, want[:at[0]])
	if !ok {
		return false
	}
	if value, known := names[name]; known {
		tail, ok = strings.CutPrefix(tail, value)
		return ok && matches(rest, tail, names, bound)
	}
	for n := 1; n <= len(tail) && tail[n-1] != '/'; n++ {
		if matches(rest, tail[n:], names, bound) {
			bound[name] = tail[:n]
			return true
		}
	}
	return false
}
