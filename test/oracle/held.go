// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"path"
	"slices"
	"strings"
)

// entry is a name of the kernel's: it goes where its directories are moved, and stays
// what it was once it is removed. An open file is known by the one it was opened by.
type entry struct {
	nest  int
	names []string
	// live is how many of the names, from the first on, are still in the filesystem: a
	// new file of the same name is another entry.
	live int
	// via is the mount that it was opened through.
	via *mounted
}

func newEntry(n ownName, via *mounted) *entry {
	names := strings.Split(n.rel, "/")
	return &entry{nest: n.nest, names: names, live: len(names), via: via}
}

// ownName is a name as its owner knows it, wherever the nest is.
type ownName struct {
	nest int
	rel  string
}

// under returns how many names of e lead to n, 0 if n is not above e or e itself.
func (e *entry) under(n ownName) int {
	names := strings.Split(n.rel, "/")
	if e.nest != n.nest || len(names) > e.live || !slices.Equal(names, e.names[:len(names)]) {
		return 0
	}
	return len(names)
}

// removed follows the removal of a name.
func (e *entry) removed(n ownName) {
	if k := e.under(n); k > 0 {
		e.live = k - 1
	}
}

// renamed follows a rename, which removes what had the new name.
func (e *entry) renamed(from, to ownName) {
	e.removed(to)
	e.moved(from, to)
}

func (e *entry) moved(from, to ownName) bool {
	k := e.under(from)
	if k == 0 {
		return false
	}
	names := strings.Split(to.rel, "/")
	e.nest, e.names, e.live = to.nest, slices.Concat(names, e.names[k:]), e.live-k+len(names)
	return true
}

// exchanged follows two names that change places.
func (e *entry) exchanged(a, b ownName) {
	if !e.moved(a, b) {
		e.moved(b, a)
	}
}

func (e *entry) rel() string { return strings.Join(e.names, "/") }

// at is where it is in its tree.
func (e *entry) at() string { return path.Join(e.via.tree.nest(e.nest), e.rel()) }
