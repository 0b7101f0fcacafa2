// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestAPatternThatCannotBeMeantIsRefusedByName(t *testing.T) {
	for pattern, want := range map[string]string{
		"":                                       "empty",
		"etc":                                    "relative",
		"**":                                     "relative",
		"./etc":                                  "relative",
		"~/.ssh":                                 "relative",
		"/":                                      "whole host",
		"///":                                    "whole host",
		"/**":                                    "whole host",
		"/**/":                                   "whole host",
		"/**/**":                                 "whole host",
		"/*/**":                                  "whole host",
		"/**/*":                                  "whole host",
		"/{*,a}/**":                              "whole host",
		"/etc/.":                                 `component "."`,
		"/etc/../root":                           `component ".."`,
		`/etc/\.\.`:                              `component ".."`,
		"/etc/{a,.}{,.}":                         `component "."`,
		"/etc/[a":                                "[ that is not closed",
		"/etc/[]a]":                              "closes at once",
		"/etc/[!]":                               "closes at once",
		"/etc/[a/b]":                             "cannot hold a slash",
		"/etc/{a,b":                              "{ that is not closed",
		"/etc/{a/b,c}":                           "cannot hold a slash",
		"/etc/a}":                                "} that nothing opens",
		"/etc/{a,[}]":                            "{ that is not closed",
		"/etc/{}":                                "matches no name",
		"/etc/{,{,}}":                            "matches no name",
		"/etc/a**b":                              "** beside something else",
		"/etc/***":                               "** beside something else",
		"/etc/{**,a}*":                           "** beside something else",
		"/etc/{a,*}*":                            "** beside something else",
		"/etc/{a,**}":                            "** beside something else",
		`/etc/a\`:                                "escapes nothing",
		`/etc/a\/b`:                              "escapes nothing",
		"/etc/\xff":                              "UTF-8",
		"/etc/\x00":                              "NUL",
		"/" + strings.Repeat("a/", maxPattern/2): "4097 bytes long",
		"/{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}": "more than 256 paths",
		strings.Repeat("/{a,b}", 9):                      "more than 256 paths",
	} {
		_, err := Compile(Options{Include: patterns("/fine", pattern)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: error %v, want one with %q", pattern, err, want)
			continue
		}
		if quoted := strings.Count(err.Error(), "pattern \""); quoted != 1 {
			t.Errorf("%.60q: the error names %d patterns: %v", pattern, quoted, err)
		}
		if _, err := Compile(Options{Include: patterns("/fine"), Exclude: patterns(pattern)}); err == nil {
			t.Errorf("%.60q is accepted as an exclude", pattern)
		}
	}
}

func TestEveryBadPatternIsNamedAtOnce(t *testing.T) {
	_, err := Compile(Options{Include: patterns("etc", "/ok", "/a**"), Exclude: []Pattern{{"/x/..", "/link"}}})
	for _, want := range []string{`"etc"`, `"/a**"`, `"/link", which leads to "/x/.."`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not named: %v", want, err)
		}
	}
}

func TestNothingToWatchIsAnError(t *testing.T) {
	if _, err := Compile(Options{Exclude: patterns("/etc")}); err == nil {
		t.Error("no include is accepted")
	}
}

func TestBracesOpenAsTheyDoOnPaper(t *testing.T) {
	for text, want := range map[string][]string{
		"a":             {"a"},
		"{a}":           {"a"},
		"x{a,b}y":       {"xay", "xby"},
		"{a,b}{c,d}":    {"ac", "ad", "bc", "bd"},
		"{a,{b,c}d}e":   {"ae", "bde", "cde"},
		"{,a}":          {"", "a"},
		`{a\,b,c}`:      {`a\,b`, "c"},
		"{[,}],b}":      {"[,}]", "b"},
		`\{a,b}`[:5]:    {`\{a,b`},
		"{{{{a,b}}}},c": {"a,c", "b,c"},
	} {
		if got := expand(text); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestWhatMeansTheSameIsParsedToTheSame(t *testing.T) {
	for pattern, plain := range map[string]string{
		"/a/**/**/**/b": "/a/**/b", "//a///b//": "/a/b", `/\a/\*`: `/a/\*`, "/{a}/{b,}": "/a/b",
	} {
		got, err := parse(pattern)
		want, plainErr := parse(plain)
		if err != nil || plainErr != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, %s is %v", pattern, got, plain, want)
		}
	}
}

func TestRuinousBracesAreCutShort(t *testing.T) {
	if n := len(expand(strings.Repeat("{a,b}", 800))); n > 2*maxSequences {
		t.Errorf("%d alternatives were written down", n)
	}
}
