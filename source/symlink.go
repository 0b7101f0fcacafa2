// SPDX-License-Identifier: Apache-2.0

package source

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/falco-fim/fim/watch"
)

// maxLinks is how many symbolic links a path may lead through, as the kernel
// has it (MAXSYMLINKS, path_resolution(7)).
const maxLinks = 40

// included returns the configured patterns, and for each whose literal prefix
// leads through a symbolic link those that name the same files by the path that
// events bear: with /bin a link to usr/bin, /bin/sh is also /usr/bin/sh, and
// where that is a link again also what it leads to. The name stays the
// configured one.
//
// Links can belong to anybody, so what a link makes of a pattern is no
// configuration error: a pattern that cannot be meant, such as the whole host,
// is left out with a warning.
func (c *Config) included() []watch.Pattern {
	list := patterns(c.Watch)
	for _, p := range patterns(c.Watch) {
		for _, p.Glob = range resolve(c.HostRoot, p) {
			if _, err := watch.Compile(only(p)); err != nil {
				c.logf("watch %s: what its symbolic link leads to is not watched: %v", p.Name, err)
				continue
			}
			list = append(list, p)
		}
	}
	return list
}

func only(p watch.Pattern) watch.Options { return watch.Options{Include: []watch.Pattern{p}} }

// resolve returns what the links in the literal prefix of p make of it, a
// pattern for each link that is followed: one in each alternative of braces. A
// pattern that does not compile has none.
func resolve(root string, p watch.Pattern) []string {
	set, err := watch.Compile(only(p))
	if err != nil {
		return nil
	}
	var found []string
	for _, prefix := range set.Prefixes() {
		names := components(prefix)
		rest := components(p.Glob)[len(names):] // braces hold no slash
		for _, path := range follow(root, names) {
			found = append(found, strings.Join(append([]string{EscapeGlob(path)}, rest...), "/"))
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// follow returns the path after each symbolic link on the way along names. The
// links are read below root and mean what they mean there; what cannot be read
// is no link.
func follow(root string, names []string) []string {
	var found []string
	done, todo, followed := "/", names, false // done has no links left in it
	for links := 0; len(todo) > 0 && links < maxLinks; {
		next := path.Join(done, todo[0]) // takes ".." back by name: right after no link
		target, err := os.Readlink(filepath.Join(root, next))
		switch {
		case err != nil || todo[0] == "..":
			done, todo = next, todo[1:]
		case path.IsAbs(target):
			done = "/"
			fallthrough
		default:
			todo = append(components(target), todo[1:]...)
			followed = true
			links++
		}
		if followed && !slices.Contains(todo, "..") {
			found = append(found, path.Join(done, path.Join(todo...)))
			followed = false
		}
	}
	return found
}

// components splits a path at its slashes, without "." and empty ones.
func components(p string) []string {
	var list []string
	for name := range strings.SplitSeq(p, "/") {
		if name != "" && name != "." {
			list = append(list, name)
		}
	}
	return list
}

// EscapeGlob returns the pattern that matches just the path p.
func EscapeGlob(p string) string {
	var b strings.Builder
	for i := range len(p) {
		if strings.IndexByte(`*?[]{}\`, p[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(p[i])
	}
	return b.String()
}
