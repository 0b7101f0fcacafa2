// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"path"
	"slices"
	"strings"
)

// patterns are what fim is told to watch and what to leave out, as absolute paths.
type patterns struct{ include, exclude []string }

// covers tells whether a path is watched.
func (p patterns) covers(file string) bool { return anyOf(p.include, file) && !anyOf(p.exclude, file) }

// doubts tells whether a path looks watched to who takes any glob inside a component for
// * and knows no excludes, as fim's kernel side may.
func (p patterns) doubts(file string) bool {
	for _, one := range p.include {
		coarse := split(one)
		for i, c := range coarse {
			if strings.ContainsAny(c, "*?[") && c != "**" {
				coarse[i] = "*"
			}
		}
		if matches(coarse, split(file), below(one)) {
			return true
		}
	}
	return false
}

func anyOf(all []string, file string) bool {
	for _, one := range all {
		if matches(split(one), split(file), below(one)) {
			return true
		}
	}
	return false
}

// below tells whether a pattern means what lies below it too: its last component has
// no wildcard.
func below(pattern string) bool { return !strings.ContainsAny(path.Base(pattern), "*?[") }

func split(file string) []string { return strings.Split(strings.TrimPrefix(file, "/"), "/") }

func matches(pattern, file []string, below bool) bool {
	switch {
	case len(pattern) == 0:
		return len(file) == 0 || below
	case pattern[0] == "**":
		return matches(pattern[1:], file, below) || len(file) > 0 && matches(pattern, file[1:], below)
	case len(file) == 0:
		return false
	}
	return component(pattern[0], file[0]) && matches(pattern[1:], file[1:], below)
}

func component(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// leads tells whether a directory stands above what some pattern names: moving it
// away takes watched paths with it. No pattern here has ** before its end.
func (p patterns) leads(dir string) bool {
	names := split(dir)
	for _, one := range p.include {
		if all := split(one); len(names) < len(all) && matches(all[:len(names)], names, false) {
			return true
		}
	}
	return false
}

// concern is what patterns have to do with a path.
type concern int

const (
	nothing concern = iota
	leading         // a directory, and they may name something below
	covered
)

// choose returns the path, out of several of one thing, that patterns have most to do
// with, the first of equals: by that it is told. Leading counts where directories move.
func (p patterns) choose(files []string, moves bool) (best string, most concern) {
	for i, file := range files {
		how := nothing
		switch {
		case p.covers(file):
			how = covered
		case moves && p.leads(file):
			how = leading
		}
		if i == 0 || how > most {
			best, most = file, how
		}
	}
	return best, most
}

// doubted tells whether a place is not watched, but fim's kernel side may think so: it
// does not know what mounts hide either.
func (p patterns) doubted(at place) bool {
	if _, how := p.choose(at.hosts, false); how == covered {
		return false
	}
	return slices.ContainsFunc(slices.Concat(at.hosts, at.hidden), p.doubts) || at.left != "" && p.doubts(at.left)
}
