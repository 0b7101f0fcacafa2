// SPDX-License-Identifier: Apache-2.0

// The tests of fim_rules.yaml: that Falco takes it, that what it watches is
// watched, and that each rule alerts on an attack, once, and on nothing else.
package rules

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/falco-fim/fim/test/host"
)

// entry is one element of a Falco rules file, whichever it is.
type entry struct {
	Engine  string           `yaml:"required_engine_version"`
	Plugins []map[string]any `yaml:"required_plugin_versions"`

	List  string   `yaml:"list"`
	Items []string `yaml:"items"`

	Macro string `yaml:"macro"`

	Rule      string   `yaml:"rule"`
	Desc      string   `yaml:"desc"`
	Condition string   `yaml:"condition"`
	Output    string   `yaml:"output"`
	Priority  string   `yaml:"priority"`
	Source    string   `yaml:"source"`
	Tags      []string `yaml:"tags"`
}

// file is fim_rules.yaml.
type file struct {
	entries []entry
	lists   map[string][]string // with the lists in them expanded
	macros  map[string]string   // with everything in them expanded
}

func (f *file) rules() []entry {
	return slices.DeleteFunc(slices.Clone(f.entries), func(e entry) bool { return e.Rule == "" })
}

// expanded returns the rules as fim-host takes them.
func (f *file) expanded() []host.Rule {
	var rules []host.Rule
	for _, r := range f.rules() {
		rules = append(rules, host.Rule{Name: r.Rule, Condition: f.expand(r.Condition), Output: strings.TrimSpace(r.Output)})
	}
	return rules
}

// load reads the rules file. A key that Falco does not know is an error.
func load(t testing.TB) *file {
	t.Helper()
	text, err := os.ReadFile("fim_rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	f, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// parse reads a rules file. As in Falco, a list or macro can be used only
// behind its definition, so one pass expands them all.
func parse(text []byte) (*file, error) {
	f := &file{lists: map[string][]string{}, macros: map[string]string{}}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&f.entries); err != nil {
		return nil, err
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one YAML document")
	}
	for _, e := range f.entries {
		if err := f.define(e); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *file) define(e entry) error {
	name := e.List + e.Macro
	_, list := f.lists[name]
	_, macro := f.macros[name]
	if list || macro {
		return fmt.Errorf("%s is defined twice", name)
	}
	if e.List != "" {
		f.lists[e.List] = f.expandItems(e.Items)
	}
	if e.Macro != "" {
		f.macros[e.Macro] = f.expand(e.Condition)
	}
	return nil
}

func (f *file) expandItems(items []string) []string {
	list := []string{}
	for _, item := range items {
		if inner, ok := f.lists[item]; ok {
			list = append(list, inner...)
		} else {
			list = append(list, item)
		}
	}
	return list
}

// expand replaces the macros and lists in a condition, outside of quotes.
func (f *file) expand(condition string) string {
	var out strings.Builder
	for _, word := range words(condition) {
		if items, ok := f.lists[word]; ok {
			word = strings.Join(items, ", ")
		} else if macro, ok := f.macros[word]; ok {
			word = "(" + macro + ")"
		}
		out.WriteString(word)
	}
	return strings.TrimSpace(out.String())
}

// words splits a condition into names, quoted strings and what stands between
// them; joined they are the condition again.
func words(condition string) []string {
	var list []string
	for rest := condition; rest != ""; {
		n := wordLength(rest)
		list = append(list, rest[:n])
		rest = rest[n:]
	}
	return list
}

// between are the characters that end a name.
const between = " \t\n(),"

func wordLength(text string) int {
	switch {
	case text[0] == '"':
		if i := strings.IndexByte(text[1:], '"'); i >= 0 {
			return i + 2
		}
		return len(text)
	case strings.IndexByte(between, text[0]) >= 0:
		return 1
	}
	if i := strings.IndexAny(text, between+`"`); i > 0 {
		return i
	}
	return len(text)
}

func TestMacrosAndListsExpandOutsideOfQuotesAndInOrder(t *testing.T) {
	f, err := parse([]byte(`
- list: inner
  items: [/a, /b]
- list: outer
  items: [inner, "/c*"]
- macro: m
  condition: (x in (outer))
- macro: mm
  condition: m or later
- list: later
  items: [z]
`))
	if err != nil {
		t.Fatal(err)
	}
	for condition, want := range map[string]string{
		"y pmatch (outer, inner)":  "y pmatch (/a, /b, /c*, /a, /b)",
		"not m":                    "not ((x in (/a, /b, /c*)))",
		"mm":                       "(((x in (/a, /b, /c*))) or later)",
		`y = "m inner" and outerx`: `y = "m inner" and outerx`,
		`y = "open`:                `y = "open`,
	} {
		if got := f.expand(condition); got != want {
			t.Errorf("%s: got %s, want %s", condition, got, want)
		}
	}
}

func TestAFileThatFalcoWouldRefuseIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"unknown key":   "- rule: a\n  conditoin: x\n",
		"twice":         "- list: a\n  items: []\n- macro: a\n  condition: x\n",
		"two documents": "- list: a\n  items: []\n---\n- list: b\n  items: []\n",
	} {
		if _, err := parse([]byte(text)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
