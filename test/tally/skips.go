// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// skips is the list of tests that may be skipped.
type skips struct {
	most int // skips in one run
	seen int
	rows []skipRow
}

// skipRow allows the tests of a package whose whole name matches.
type skipRow struct {
	pkg  string
	name *regexp.Regexp
}

// readSkips reads the list; no file is an empty one.
func readSkips(file string) (*skips, error) {
	text, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return &skips{}, nil
	}
	if err != nil {
		return nil, err
	}
	s, err := parseSkips(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

// parseSkips reads "max N" and then lines of package, regular expression and
// reason. The package is an import path or the end of one; the expression must
// match the whole name. Lines that begin with # are comments.
func parseSkips(text string) (*skips, error) {
	s := &skips{most: -1}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		var err error
		switch {
		case len(words) == 0 || strings.HasPrefix(words[0], "#"):
		case s.most < 0:
			s.most, err = parseMax(words)
		default:
			err = s.add(words)
		}
		if err != nil {
			return nil, fmt.Errorf("%q: %w", strings.TrimSpace(line), err)
		}
	}
	if s.most < 0 {
		return nil, fmt.Errorf("want a first line %q", "max N")
	}
	return s, nil
}

func parseMax(words []string) (int, error) {
	if len(words) == 2 && words[0] == "max" {
		if n, err := strconv.Atoi(words[1]); err == nil && n >= 0 {
			return n, nil
		}
	}
	return 0, fmt.Errorf("the first line must be %q: how many tests a run may skip", "max N")
}

func (s *skips) add(words []string) error {
	if len(words) < 3 {
		return fmt.Errorf("want PACKAGE TEST-REGEXP REASON")
	}
	name, err := regexp.Compile("^(?:" + words[1] + ")$")
	if err != nil {
		return err
	}
	s.rows = append(s.rows, skipRow{words[0], name})
	return nil
}

// refuse returns why a test must not be skipped, or "", and counts it.
func (s *skips) refuse(pkg, name string) string {
	for _, row := range s.rows {
		if (pkg == row.pkg || strings.HasSuffix(pkg, "/"+row.pkg)) && row.name.MatchString(name) {
			if s.seen++; s.seen > s.most {
				return fmt.Sprintf("skip %d of at most %d in the list of allowed skips", s.seen, s.most)
			}
			return ""
		}
	}
	return "not in the list of allowed skips"
}
