// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"maps"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// fileID is a file of an episode.
type fileID struct {
	tree     *tree
	ino, dev uint64
}

// kin are the watched names of files with several, as far as fim must know them: it was
// told of each while that was watched, and no directory and no mount has changed since.
// What is then done by another name must be told.
type kin struct {
	// names holds when each was told of; see World.turn.
	names map[fileID]map[ownName]int
}

// reaches tells whether the file has such a name but those that were used.
func (k *kin) reaches(id fileID, turn int, used ...ownName) bool {
	for name, at := range k.names[id] {
		if at == turn && !slices.Contains(used, name) {
			return true
		}
	}
	return false
}

// learn takes in a fact, and of the names that it tells those that are watched.
func (k *kin) learn(f Fact, id fileID, turn int, at, from ownName, watched ...ownName) {
	if f.File.Mode&unix.S_IFMT == unix.S_IFDIR {
		k.moved(id.tree, at, from)
		return
	}
	switch f.Op {
	case "unlink":
		k.gone(id.tree, at)
		if f.File.Nlink < 2 {
			delete(k.names, id)
		}
	case "rename":
		k.gone(id.tree, at)
		delete(k.names[id], from)
	}
	if f.File.Nlink < 2 {
		return
	}
	for _, name := range watched {
		if k.names == nil {
			k.names = map[fileID]map[ownName]int{}
		}
		if k.names[id] == nil {
			k.names[id] = map[ownName]int{}
		}
		k.names[id][name] = turn
	}
}

// gone follows a name that is no file's any more, or another's.
func (k *kin) gone(t *tree, name ownName) {
	for id, names := range k.names {
		if id.tree == t {
			delete(names, name)
		}
	}
}

// moved forgets what lies below directories that have moved.
func (k *kin) moved(t *tree, dirs ...ownName) {
	for id, names := range k.names {
		if id.tree != t {
			continue
		}
		maps.DeleteFunc(names, func(n ownName, _ int) bool {
			return slices.ContainsFunc(dirs, func(d ownName) bool { return n.nest == d.nest && strings.HasPrefix(n.rel, d.rel+"/") })
		})
	}
}
