// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"flag"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bmatcuk/doublestar/v4"
)

// The grammar once more, as plainly as it can be written: slow, and sharing
// nothing with the package but the doublestar library for one component.

var innermost = regexp.MustCompile(`\{([^{}]*)\}`)

// naiveExpand takes the braces apart from the inside out.
func naiveExpand(pattern string) []string {
	at := innermost.FindStringSubmatchIndex(pattern)
	if at == nil {
		return []string{pattern}
	}
	var all []string
	for choice := range strings.SplitSeq(pattern[at[2]:at[3]], ",") {
		all = append(all, naiveExpand(pattern[:at[0]]+choice+pattern[at[1]:])...)
	}
	return all
}

// naiveEqual compares components; ** is tried at every length.
func naiveEqual(pattern, path []string) bool {
	if len(pattern) == 0 {
		return len(path) == 0
	}
	if pattern[0] == "**" {
		return naiveEqual(pattern[1:], path) || len(path) > 0 && naiveEqual(pattern, path[1:])
	}
	if len(path) == 0 {
		return false
	}
	ok, err := doublestar.Match(pattern[0], path[0])
	return err == nil && ok && naiveEqual(pattern[1:], path[1:])
}

func naiveSplit(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

func naiveCovers(pattern, path string, direct bool) bool {
	names := naiveSplit(path)
	for _, p := range naiveExpand(pattern) {
		components := naiveSplit(p)
		last := components[len(components)-1]
		longest := len(names)
		for up := 0; up <= longest; up++ { // path, its parent, …
			if up > 0 && (strings.ContainsAny(last, "*?[") || direct && up > 1) {
				break
			}
			if naiveEqual(components, names[:longest-up]) {
				return true
			}
		}
	}
	return false
}

func naiveMatch(o Options, path string) bool {
	for _, p := range o.Exclude {
		if naiveCovers(p.Glob, path, false) {
			return false
		}
	}
	for _, p := range o.Include {
		if naiveCovers(p.Glob, path, o.Direct) {
			return true
		}
	}
	return false
}

var seedFlag = flag.Uint64("seed", 0, "seed of the randomized tests; 0 takes a new one")

// random returns a source of chance and prints what repeats it.
func random(t testing.TB) *rand.Rand {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("repeat with: go test ./watch -run '^%s$' -seed %d", t.Name(), seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// The alphabets are small, so that patterns meet paths often and a failure is
// short.
var (
	exactParts = []string{"a", "b", "ab", "ba", ".a", "*", "**", "{a,b}", "{a,{b,ab}}", "a{,b}"}
	globParts  = []string{"?", "a*", "*b", "[ab]", "[^a]", "[!a-b]*", "?*", "{a,b*}", "*{a,b}", "*a*"}
	pathParts  = []string{"a", "b", "ab", "ba", ".a", "é", "\xff", "\n"}
)

func randomPattern(r *rand.Rand, parts []string) Pattern {
	for {
		var b strings.Builder
		for range 1 + r.IntN(4) {
			b.WriteString("/" + parts[r.IntN(len(parts))])
		}
		if _, err := parse(b.String()); err == nil { // /** and its like are not
			return Pattern{Glob: b.String()}
		}
	}
}

func randomOptions(r *rand.Rand, parts []string) Options {
	o := Options{Direct: r.IntN(4) == 0}
	for range 1 + r.IntN(3) {
		o.Include = append(o.Include, randomPattern(r, parts))
	}
	for range r.IntN(3) {
		o.Exclude = append(o.Exclude, randomPattern(r, parts))
	}
	return o
}

func randomPath(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(6) {
		b.WriteString("/" + pathParts[r.IntN(len(pathParts))])
	}
	if b.Len() == 0 {
		return "/"
	}
	return b.String()
}

// ancestors returns the root, …, and path itself.
func ancestors(path string) []string {
	all := []string{"/"}
	for i, c := range path {
		if c == '/' && i > 0 {
			all = append(all, path[:i])
		}
	}
	if path != "/" {
		all = append(all, path)
	}
	return all
}
