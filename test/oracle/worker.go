// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"maps"
	"path"
	"time"
)

// worker does the steps of one thread in an episode and collects what must be told.
type worker struct {
	*line
	world *World
	nests [2]int
	// names is the mounts that its process has of the world.
	names *namespace
	// spare is a directory outside of the world to mount something at.
	spare string
	held  *entry
	// opening is what was told of the file that is held.
	opening *opening
	// kin are the names of its files.
	kin     kin
	watched patterns
	backend backend
	// quiet waits until nothing is left that a backend could merge with what comes.
	quiet func() error
	// sync waits until all that was done is told.
	sync func() error

	ops  int
	want []Expect
}

// do does one step. What it finds at its names, and where these are, stays so until it
// is done: the names are its own, and no directory above moves.
func (w *worker) do(s Step) error {
	switch {
	case s.moves():
		return w.move(s)
	case s.remounts():
		return w.remount(s)
	}
	w.world.mu.RLock()
	defer w.world.mu.RUnlock()
	a, b := w.name(s.A), w.name(s.B)
	m := w.names.pick(s.View, w.world.tree, w.rel(a), w.rel(b))
	at, bt := w.spot(m, w.rel(a)), w.spot(m, w.rel(b))
	answer, err := w.line.do(Call{Do: s.Do, A: at.seen, B: bt.seen, N: s.N, Nobody: s.Nobody})
	if err != nil {
		return err
	}
	spots := map[Spot]place{atA: at, atB: bt}
	if w.held != nil {
		spots[held] = w.world.place(w.names, w.held.via, w.held.at())
	}
	w.told(s, answer, spots, map[Spot]ownName{atA: a, atB: b})
	w.follow(s, a, b, at, answer)
	return nil
}

// move moves a directory while nothing else happens in this world.
func (w *worker) move(s Step) error {
	w.world.mu.Lock()
	defer w.world.mu.Unlock()
	m, ok := w.world.plan(s, w.nests)
	if !ok {
		return nil
	}
	if err := w.quiet(); err != nil {
		return err
	}
	via := w.names.pickOpen(s.N, w.world.tree, m.from, m.to)
	at, bt := w.spot(via, m.from), w.spot(via, m.to)
	c := Call{Do: "rename", A: at.seen, B: bt.seen, Nobody: s.Nobody}
	if m.exchange {
		c.Do = "exchange"
	}
	answer, err := w.line.do(c)
	if err != nil {
		return err
	}
	if len(answer.Facts) > 0 {
		m.commit()
		w.world.turn++
	}
	w.told(s, answer, map[Spot]place{atA: at, atB: bt}, nil)
	return nil
}

func (w *worker) name(n Name) ownName { return ownName{w.nests[n.Nest], n.Rel} }

func (w *worker) rel(n ownName) string { return path.Join(w.world.nest(n.nest), n.rel) }

// spot returns where the path leads that a mount names something of the world by: what
// is there unless something lies over it.
func (w *worker) spot(m *mounted, rel string) place {
	file, _ := m.path(w.world.tree, rel)
	via, rel := w.names.find(file)
	p := w.world.place(w.names, via, rel)
	p.seen, p.via = file, via
	return p
}

// told adds what must be told of an answer. names are the worker's own ones that it is of.
func (w *worker) told(s Step, a Answer, spots map[Spot]place, names map[Spot]ownName) {
	w.ops++
	scene := scene{watched: w.watched, spots: spots, pid: a.Pid, tid: a.Tid, fresh: w.world.fresh}
	opened := &opening{first: unsized}
	for _, f := range a.Facts {
		o, stands := opened, stand{path: "once", turn: w.world.turn, fresh: w.world.fresh}
		if f.At == held {
			o, stands.path = w.opening, w.held.at()
		}
		at := spots[f.At]
		host, _ := w.watched.choose(at.hosts, false)
		alias := !w.backend.merges && f.mayBeAlias()
		doubted := w.watched.doubted(at) || alias || w.world.fresh // then the kernel side may know of no mount at all
		t := o.note(&f, w.watched.covers(host), doubted, stands, time.Now())
		e, ok := scene.expects(f)
		if alias && (!ok || e.Maybe) {
			sure := !ok && w.knows(f, at.tree, names)
			w.expect(s, f, scene.aliased(f, maps.Clone(e.Record)), manner{maybe: !sure}, at)
		}
		if ok || f.Op == "close" && o.murky {
			w.expect(s, f, e, t, at)
		}
		w.relate(f, spots, names)
	}
	if s.Do == "hold" && w.held == nil {
		w.opening = opened
	}
}

// knows tells whether fim must know that the file of a fact is watched by another name. Of
// an open file it depends on what was told before, and where the kernel does not tell its
// device on whether its names are still there.
func (w *worker) knows(f Fact, t *tree, names map[Spot]ownName) bool {
	if f.Open || f.Maybe || w.world.fresh || f.At == held || names == nil || deviceless(t.fs) {
		return false
	}
	used := []ownName{names[f.At]}
	if f.From != none {
		used = append(used, names[f.From])
	}
	return w.kin.reaches(fileID{t, f.File.Ino, f.File.Dev}, w.world.turn, used...)
}

// relate takes in what a fact tells of names.
func (w *worker) relate(f Fact, spots map[Spot]place, names map[Spot]ownName) {
	if names == nil || f.At == held || f.Open {
		return
	}
	var watched []ownName
	for _, spot := range []Spot{f.At, f.From} {
		host, _ := w.watched.choose(spots[spot].hosts, false)
		there := spot == f.At && f.Op != "unlink" || spot == f.From && f.Op == "link"
		if there && !f.Maybe && !w.world.fresh && w.watched.covers(host) {
			watched = append(watched, names[spot])
		}
	}
	at := spots[f.At]
	w.kin.learn(f, fileID{at.tree, f.File.Ino, f.File.Dev}, w.world.turn, names[f.At], names[f.From], watched...)
}

func (w *worker) expect(s Step, f Fact, e Expect, m manner, at place) {
	if w.backend.silent(f, m) {
		return
	}
	e.Step = s.String()
	w.want = append(w.want, w.backend.limit(e, f, m, at.tree.fs))
}

// follow keeps in mind what the file that is held is called.
func (w *worker) follow(s Step, a, b ownName, at place, answer Answer) {
	switch {
	case s.Do == "hold" && w.held == nil:
		if answer.Open {
			w.held = newEntry(a, at.via)
		}
	case s.Do == "drop":
		w.held = nil
	case w.held == nil || len(answer.Facts) == 0 || at.tree != w.held.via.tree:
	case s.Do == "unlink" || s.Do == "rmdir":
		w.held.removed(a)
	case s.Do == "rename" && len(answer.Facts) == 2:
		w.held.exchanged(a, b)
	case s.Do == "rename":
		w.held.renamed(a, b)
	}
}
