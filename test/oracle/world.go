// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// areas are the directories of a world that hubs lie in: watched, not watched, and
// watched in part.
var areas = []string{"in", "out", "glob", "in/deep"}

const hubCount = 3

// World is the tree of one episode on one filesystem: areas hold hubs, hubs hold nests,
// and a nest holds the names of one worker.
type World struct {
	root string // on the host
	// mu is held for writing while a directory moves or a mount comes or goes, for reading
	// by all else.
	mu    sync.RWMutex
	hubs  []string // where each is, below root
	nests []nest
	tree  *tree
	// host is the host's mount namespace, own that of one process.
	host, own *namespace
	// left is the last mount that showed a filesystem on the host, where it does no more.
	left map[*tree]*mounted
	// turn counts the moves of directories and the changes of mounts.
	turn int
	// fresh says that fim may not have seen the last change of mounts.
	fresh bool
}

type nest struct {
	hub  int
	name string
}

// newWorld lays out a world for a number of workers.
func newWorld(root, fs string, workers int) *World {
	w := &World{root: root, left: map[*tree]*mounted{}}
	for i := range hubCount {
		w.hubs = append(w.hubs, fmt.Sprintf("%s/h%d", areas[i%len(areas)], i))
	}
	for i := range 2 * workers {
		w.nests = append(w.nests, nest{i % hubCount, fmt.Sprintf("n%d", i)})
	}
	w.tree = &tree{fs, w.nest}
	return w
}

// bindPoint is a directory in a watched area that nothing but a mount is made of.
const bindPoint = "in/at"

// furnish makes the directories of a world below root, and a few files to begin with.
func (w *World) furnish(root string) error {
	for _, dir := range append([]string{bindPoint}, areas...) {
		if err := os.MkdirAll(path.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	for i := range w.nests {
		at := path.Join(root, w.nest(i))
		err := errors.Join(os.MkdirAll(path.Join(at, "d0", "d1"), 0o755), os.Mkdir(path.Join(at, "d1"), 0o755), os.WriteFile(path.Join(at, "f0"), []byte("hello"), 0o644),
			os.WriteFile(path.Join(at, "d0", "f0"), nil, 0o644))
		if err != nil {
			return err
		}
		if err := unix.Symlink("no/where", path.Join(at, "g0")); err != nil && err != unix.EPERM { // which vfat says
			return err
		}
	}
	return nil
}

// nest returns where a nest is now, below root.
func (w *World) nest(i int) string { return path.Join(w.hubs[w.nests[i].hub], w.nests[i].name) }

// below returns the nests that lie below a directory.
func (w *World) below(dir string) (all []int) {
	for i := range w.nests {
		if strings.HasPrefix(w.nest(i), dir+"/") {
			all = append(all, i)
		}
	}
	return all
}

// move is what a step that moves directories does: the paths to exchange or rename,
// and how the world is afterwards.
type move struct {
	from, to string
	exchange bool
	commit   func()
}

// plan returns the move that a step of a worker with these two nests means, and
// whether it is one.
func (w *World) plan(s Step, nests [2]int) (move, bool) {
	hub, other := s.N%hubCount, (s.N+1)%hubCount
	switch s.Do {
	case moveHub:
		to := areas[s.View%len(areas)] + "/" + path.Base(w.hubs[hub])
		return move{from: w.hubs[hub], to: to, commit: func() { w.hubs[hub] = to }}, to != w.hubs[hub]
	case moveNest:
		n := &w.nests[nests[s.View%2]]
		from := w.nest(nests[s.View%2])
		return move{from: from, to: path.Join(w.hubs[hub], n.name), commit: func() { n.hub = hub }}, n.hub != hub
	default:
		swap := func() { w.hubs[hub], w.hubs[other] = w.hubs[other], w.hubs[hub] }
		return move{from: w.hubs[hub], to: w.hubs[other], exchange: true, commit: swap}, true
	}
}
