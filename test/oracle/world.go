// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"fmt"
	"os"
	"path"
	"strings"
	"sync"
)

// areas are the directories of a world that hubs lie in: watched, not watched, and
// watched in part.
var areas = []string{"in", "out", "glob", "in/deep"}

const hubCount = 3

// World is the tree of one episode on one filesystem: areas hold hubs, hubs hold nests,
// and a nest holds the names of one worker.
type World struct {
	root string // on the host
	// mu is held for writing while a directory moves, for reading by all else.
	mu    sync.RWMutex
	hubs  []string // where each is, below root
	nests []nest
}

type nest struct {
	hub  int
	name string
}

// newWorld makes the directories of a world for a number of workers.
func newWorld(root string, workers int) (*World, error) {
	w := &World{root: root}
	for i := range hubCount {
		w.hubs = append(w.hubs, fmt.Sprintf("%s/h%d", areas[i%len(areas)], i))
	}
	for i := range 2 * workers {
		w.nests = append(w.nests, nest{i % hubCount, fmt.Sprintf("n%d", i)})
	}
	for _, area := range areas {
		if err := os.MkdirAll(path.Join(root, area), 0o755); err != nil {
			return nil, err
		}
	}
	for i := range w.nests {
		if err := os.MkdirAll(path.Join(root, w.nest(i), "d0", "d1"), 0o755); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// nest returns where a nest is now, below root.
func (w *World) nest(i int) string { return path.Join(w.hubs[w.nests[i].hub], w.nests[i].name) }

// place is where something is: below the root of its world, and the mount through
// which a process says so.
type place struct {
	world *World
	rel   string
	view  view
}

func (p place) host() string { return p.world.root + "/" + p.rel }

func (p place) seen() string { return p.view.path(p.rel) }

// view is a mount as a process has it: a path, and which directory of the world is
// there.
type view struct{ at, shows string }

// reaches tells whether a path below the world's root can be named through v.
func (v view) reaches(rel string) bool { return v.shows == "" || strings.HasPrefix(rel, v.shows+"/") }

func (v view) path(rel string) string {
	if v.shows != "" {
		rel = strings.TrimPrefix(rel, v.shows+"/")
	}
	return v.at + "/" + rel
}

// pick returns the n-th of the views that reach all of the paths. The first of them
// shows the whole world.
func pick(views []view, n int, rels ...string) view {
	v := views[n%len(views)]
	for _, rel := range rels {
		if !v.reaches(rel) {
			return views[0]
		}
	}
	return v
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
