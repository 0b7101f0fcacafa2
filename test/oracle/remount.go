// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"path"
	"slices"
	"strings"
)

// spare is where a bind mount shows a part of a world outside of it, below the stage.
const spare = "spare"

// remount has a mount come or go while nothing else happens in this world. All from
// before is told by then: of what fim reads late it need not know the path. Of half of the
// changes it has heard before anything is done there.
func (w *worker) remount(s Step) error {
	w.world.mu.Lock()
	defer w.world.mu.Unlock()
	if err := w.sync(); err != nil {
		return err
	}
	w.world.turn++
	w.world.fresh = !w.backend.late && w.names == w.world.host && s.N/64%2 == 0
	do := map[string]func(Step) error{bindPart: w.bindPart, coverArea: w.coverArea, unmount: w.unmount}
	if err := do[s.Do](s); err != nil {
		return err
	}
	return w.heard()
}

// heard waits until fim has heard of the mounts, unless it shall have to do without.
func (w *worker) heard() error {
	if w.world.fresh {
		return nil
	}
	return w.sync()
}

// bindPart shows a part of the world, or all of it, in another place, which is watched
// or not.
func (w *worker) bindPart(s Step) error {
	root := w.world.root
	from := path.Join(root, append([]string{""}, areas...)[s.N%(len(areas)+1)])
	at := []string{path.Join(root, bindPoint), w.spare}[s.View%2]
	shown, rel := w.names.find(from)
	_, err := w.mount(s, Call{Do: "bind", A: from, B: at, Nobody: s.Nobody}, &mounted{tree: shown.tree, root: rel})
	return err
}

// coverArea mounts a filesystem in memory over an area, and makes the directories in it that
// workers go through: those that are in the area now.
func (w *worker) coverArea(s Step) error {
	area := areas[s.N%len(areas)]
	nests, there := w.world.below(area), map[int]string{}
	for _, i := range nests {
		there[i] = strings.TrimPrefix(w.world.nest(i), area+"/")
	}
	cover := &tree{"tmpfs", func(i int) string { return there[i] }}
	at := path.Join(w.world.root, area)
	done, err := w.mount(s, Call{Do: "tmpfs", B: at, Nobody: s.Nobody}, &mounted{tree: cover})
	if err != nil || !done {
		return err
	}
	if err := w.heard(); err != nil {
		return err
	}
	for _, i := range nests {
		if err := w.mkdirs(s, at, path.Join(there[i], "d0")); err != nil {
			return err
		}
	}
	return nil
}

// mount has a mount made, and tells whether it was.
func (w *worker) mount(s Step, c Call, m *mounted) (bool, error) {
	m.at, m.on = c.B, w.names.lead(c.B)
	answer, err := w.line.do(c)
	if err != nil {
		return false, err
	}
	w.told(s, answer, map[Spot]place{atB: w.mountpoint(m)}, nil)
	done := len(answer.Facts) > 0
	if done {
		w.names.attach(m)
	}
	return done, nil
}

// mkdirs makes directories below a path, one after the other; those that are there already
// are no matter.
func (w *worker) mkdirs(s Step, at, rel string) error {
	for name := range strings.SplitSeq(rel, "/") {
		at = path.Join(at, name)
		answer, err := w.line.do(Call{Do: "mkdir", A: at})
		if err != nil {
			return err
		}
		via, rel := w.names.find(at)
		w.told(s, answer, map[Spot]place{atA: w.world.place(w.names, via, rel)}, nil)
	}
	return nil
}

// unmount takes away a mount that came during the episode, if the kernel lets it: what
// carries another, is in use or hidden stays. Lazily it goes in any case.
func (w *worker) unmount(s Step) error {
	some := w.names.fleeting()
	if len(some) == 0 {
		return nil
	}
	m := some[s.N%len(some)]
	if m != w.names.lead(m.at) {
		return nil
	}
	lazily := s.View%2 == 0 && !w.names.carries(m)
	answer, err := w.line.do(Call{Do: "umount", B: m.at, Lazily: lazily, Nobody: s.Nobody})
	if err != nil {
		return err
	}
	w.told(s, answer, map[Spot]place{atB: w.mountpoint(m)}, nil)
	if len(answer.Facts) > 0 {
		w.names.detach(m)
		if w.names == w.world.host {
			w.world.leave(m)
		}
	}
	return nil
}

// leave notes that the host shows a filesystem no more, if it does not: what is done by who
// still has a file of it open is told as long as it is of where it was watched, without a path.
func (w *World) leave(m *mounted) {
	if !slices.ContainsFunc(w.host.mounts, func(o *mounted) bool { return o.tree == m.tree }) {
		w.left[m.tree] = m
	}
}

// mountpoint is where a mount is an event: on the host, by its path in the mount table.
func (w *worker) mountpoint(m *mounted) place {
	if w.names != w.world.host {
		return place{tree: m.tree}
	}
	return place{hosts: []string{m.at}, tree: m.tree}
}
