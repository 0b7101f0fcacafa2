// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// maxPattern is the longest pattern in bytes: PATH_MAX, which no path that a
	// system call takes can pass.
	maxPattern = 4096
	// maxSequences is how many paths the braces of one pattern may stand for.
	maxSequences = 256
)

// Pattern is one pattern of the configuration.
type Pattern struct {
	// Glob is what paths are compared with.
	Glob string
	// Name is the pattern as configured, which is what an event shows. It
	// differs from Glob only where a symbolic link in its prefix was resolved.
	// Empty means Glob.
	Name string
}

func (p Pattern) name() string {
	if p.Name == "" {
		return p.Glob
	}
	return p.Name
}

// wrap puts the pattern's name in front of what is wrong with it.
func (p Pattern) wrap(err error) error {
	if p.Glob != p.name() {
		return fmt.Errorf("pattern %q, which leads to %q: %w", p.Name, p.Glob, err)
	}
	return fmt.Errorf("pattern %q: %w", p.Glob, err)
}

// kind is how a component of a pattern is compared with a name.
type kind uint8

const (
	exact   kind = iota // text is the name
	glob                // text is a doublestar pattern without braces
	anyName             // the component *
	deep                // the component **
)

// component is one component of a pattern without braces.
type component struct {
	kind kind
	text string
}

// parse returns what a pattern stands for: one list of components for each way
// to choose among the alternatives of its braces.
func parse(pattern string) ([][]component, error) {
	texts, err := split(pattern)
	if err != nil {
		return nil, err
	}
	sequences := [][]component{nil}
	for _, text := range texts {
		choices, err := parseComponent(text)
		if err != nil {
			return nil, err
		}
		if len(sequences)*len(choices) > maxSequences {
			return nil, fmt.Errorf("its braces stand for more than %d paths: split it into several patterns", maxSequences)
		}
		sequences = product(sequences, choices)
	}
	for _, sequence := range sequences {
		if wholeHost(sequence) {
			return nil, errors.New("that is the whole host: name a directory, such as /etc")
		}
	}
	return sequences, nil
}

// split checks what can be checked of the whole pattern and cuts it into
// components.
func split(pattern string) ([]string, error) {
	switch {
	case pattern == "":
		return nil, errors.New("it is empty: name an absolute path, such as /etc")
	case len(pattern) > maxPattern:
		return nil, fmt.Errorf("it is %d bytes long: at most %d are allowed", len(pattern), maxPattern)
	case !utf8.ValidString(pattern):
		return nil, errors.New("it is not valid UTF-8: put a ? for each byte that is not")
	case strings.ContainsRune(pattern, 0):
		return nil, errors.New("it holds a NUL byte, which no path can: leave it out")
	case pattern[0] != '/':
		return nil, errors.New("it is relative: patterns are absolute paths on the host and begin with /")
	}
	texts := slices.DeleteFunc(strings.Split(pattern, "/"), func(c string) bool { return c == "" })
	if len(texts) == 0 {
		return nil, errors.New("that is the whole host: name a directory, such as /etc")
	}
	// A ** behind a ** adds nothing.
	return slices.CompactFunc(texts, func(a, b string) bool { return a == "**" && b == "**" }), nil
}

// parseComponent returns what one component of a pattern stands for, a choice
// for each alternative of its braces.
func parseComponent(text string) ([]component, error) {
	if text == "**" {
		return []component{{deep, text}}, nil
	}
	if err := validate(text); err != nil {
		return nil, err
	}
	var choices []component
	for _, alternative := range expand(text) {
		c, err := classify(alternative)
		if err != nil {
			return nil, err
		}
		if alternative != "" { // as in {,a}: no file has an empty name
			choices = append(choices, c)
		}
	}
	if len(choices) == 0 {
		return nil, fmt.Errorf("its component %q matches no name: put one between the braces", text)
	}
	return choices, nil
}

// classify tells what a component without braces is compared as.
func classify(text string) (component, error) {
	var name strings.Builder
	wild := false
	for rest := text; rest != ""; {
		n := token(rest)
		switch {
		case strings.HasPrefix(rest, "**"):
			return component{}, fmt.Errorf("its component %q has ** beside something else: write * there, or ** as a component of its own", text)
		case rest[0] == '*' || rest[0] == '?' || rest[0] == '[':
			wild = true
		default: // without the backslash of an escape
			name.WriteString(rest[n-1 : n])
		}
		rest = rest[n:]
	}
	switch {
	case text == "*":
		return component{anyName, text}, nil
	case wild:
		return component{glob, text}, nil
	case name.String() == "." || name.String() == "..":
		return component{}, fmt.Errorf("it has the component %q: write the path without it", name.String())
	}
	return component{exact, name.String()}, nil
}

// product appends each choice to each sequence.
func product(sequences [][]component, choices []component) [][]component {
	all := make([][]component, 0, len(sequences)*len(choices))
	for _, sequence := range sequences {
		for _, c := range choices {
			all = append(all, append(slices.Clip(sequence), c))
		}
	}
	return all
}

// wholeHost says whether a sequence covers everything below some depth.
func wholeHost(sequence []component) bool {
	bounded := slices.ContainsFunc(sequence, func(c component) bool { return c.kind == exact || c.kind == glob })
	return !bounded && slices.ContainsFunc(sequence, func(c component) bool { return c.kind == deep })
}

// literals counts the components without a wildcard.
func literals(sequence []component) int {
	n := 0
	for _, c := range sequence {
		if c.kind == exact {
			n++
		}
	}
	return n
}

// prefix is the path of the leading components without a wildcard.
func prefix(sequence []component) string {
	var b strings.Builder
	for _, c := range sequence {
		if c.kind != exact {
			break
		}
		b.WriteString("/" + c.text)
	}
	if b.Len() == 0 {
		return "/"
	}
	return b.String()
}
