// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// processCount is how many processes there are, each with a thread for every
// filesystem; the last has a mount namespace of its own.
const processCount = 3

// Stage is where episodes are played: filesystems with their mounts, the processes, and
// fim beside them.
type Stage struct {
	base        string
	filesystems []string
	backend     backend
	watched     patterns
	watcher     *watcher
	processes   []*process // of the episode
	episodes    int
}

// The mounts of a filesystem, below base; all but the first are made for each episode.
const (
	mainMount  = "fs"   // where patterns name it
	otherMount = "view" // a second time, for all to see
	ownMount   = "own"  // a third time, in the namespace of one process
	partMount  = "part" // only what is watched
)

// layersIn is a directory of the filesystem that an overlay has its layers on, which no
// pattern names.
const layersIn = "layers"

func (s *Stage) mount(kind, fs string) string { return filepath.Join(s.base, kind, fs) }

// root is where the world of this episode is, layers those of an overlay.
func (s *Stage) root(fs string) string { return filepath.Join(s.mount(mainMount, fs), s.episode()) }

func (s *Stage) layers(fs string) string {
	return filepath.Join(s.mount(mainMount, layersOn(fs)), layersIn, s.episode())
}

func (s *Stage) episode() string { return fmt.Sprintf("e%d", s.episodes) }

// Open sets the stage below base, which must be empty, with mounts that the caller
// takes down by taking down everything below base.
func Open(base, fim, backendName string, filesystems []string, patience time.Duration) (*Stage, error) {
	b, ok := backends[backendName]
	if !ok {
		return nil, fmt.Errorf("no backend %q", backendName)
	}
	s := &Stage{base: base, filesystems: filesystems, backend: b}
	if err := s.mountAll(); err != nil {
		return nil, err
	}
	s.watched = s.patterns()
	var err error
	s.watcher, err = startWatcher(fim, backendName, s.mount("marker", ""), s.watched, patience)
	return s, err
}

func (s *Stage) mountAll() error {
	if err := mountAt("tmpfs", s.mount("marker", "")); err != nil {
		return err
	}
	for _, fs := range s.filesystems {
		if err := s.mountOne(fs); err != nil {
			return err
		}
		for _, kind := range []string{otherMount, ownMount, partMount, spare} {
			if err := os.MkdirAll(s.mount(kind, fs), 0o755); err != nil {
				return err
			}
		}
	}
	return nil
}

// mountOne mounts a filesystem. Each episode has an overlay of its own.
func (s *Stage) mountOne(fs string) error {
	if kindOf(fs) != "overlay" {
		return mountAt(fs, s.mount(mainMount, fs))
	}
	if !slices.Contains(s.filesystems, layersOn(fs)) {
		return fmt.Errorf("%s: its layers are on a filesystem that is not among %v", fs, s.filesystems)
	}
	return os.MkdirAll(s.mount(mainMount, fs), 0o755)
}

func (s *Stage) patterns() (p patterns) {
	for _, fs := range s.filesystems {
		at := s.mount(mainMount, fs)
		p.include = append(p.include, at+"/*/in", at+"/*/glob/h*/n*/[fk]*")
		p.exclude = append(p.exclude, at+"/*/in/**/s")
	}
	return p
}

// startProcesses starts those of an episode, which have the mounts that are there by now.
func (s *Stage) startProcesses() error {
	for i := range processCount {
		var own [][2]string
		if i == processCount-1 {
			for _, fs := range s.filesystems {
				own = append(own, [2]string{s.root(fs), s.mount(ownMount, fs)})
			}
		}
		p, err := startProcess(len(s.filesystems), own)
		if err != nil {
			return err
		}
		s.processes = append(s.processes, p)
	}
	return nil
}

func (s *Stage) stopProcesses() error {
	var errs []error
	for _, p := range s.processes {
		errs = append(errs, p.stop())
	}
	s.processes = nil
	return errors.Join(errs...)
}

// Workers is how many workers a plan has.
func (s *Stage) Workers() int { return processCount * len(s.filesystems) }

// Close ends fim and the processes.
func (s *Stage) Close() error {
	return errors.Join(s.watcher.stop(), s.stopProcesses())
}

// Episode is a plan that was played: what its workers did, and what was told.
type Episode struct {
	merges  bool
	workers []*worker
	got     []Record
}

// Play has the workers do the steps of a plan, one after the other or all beside each
// other.
func (s *Stage) Play(plan Steps, serial bool) (*Episode, error) {
	s.episodes++
	workers, err := s.cast()
	if err != nil {
		return nil, err
	}
	if _, err := s.watcher.take(); err != nil { // what was before
		return nil, err
	}
	err = act(workers, plan, serial)
	got, synced := s.watcher.take()
	if err := errors.Join(err, synced); err != nil {
		return nil, err
	}
	return &Episode{s.backend.merges, workers, got}, s.clear()
}

// cast makes the worlds of an episode and the workers in them.
func (s *Stage) cast() ([]*worker, error) {
	var worlds []*World
	for _, fs := range s.filesystems {
		w, err := s.world(fs)
		if err != nil {
			return nil, err
		}
		worlds = append(worlds, w)
	}
	if err := s.startProcesses(); err != nil {
		return nil, err
	}
	var workers []*worker
	for k, world := range worlds {
		for i, p := range s.processes {
			names := world.host
			if i == processCount-1 {
				names = world.own
			}
			workers = append(workers, &worker{
				line: p.lines[k], world: world, nests: [2]int{2 * i, 2*i + 1}, names: names, spare: s.mount(spare, s.filesystems[k]),
				watched: s.watched, backend: s.backend, quiet: s.quiet, sync: s.watcher.sync,
			})
		}
	}
	return workers, nil
}

// world makes the world of a filesystem with its mounts.
func (s *Stage) world(fs string) (*World, error) {
	w := newWorld(s.root(fs), kindOf(fs), processCount)
	if err := s.furnish(w, fs); err != nil {
		return nil, err
	}
	main, other := &mounted{at: w.root, tree: w.tree}, &mounted{at: s.mount(otherMount, fs), tree: w.tree}
	part := &mounted{at: s.mount(partMount, fs), tree: w.tree, root: "in"}
	w.host = &namespace{[]*mounted{main, other, part}}
	w.own = &namespace{[]*mounted{main, other, part, {at: s.mount(ownMount, fs), tree: w.tree}}}
	return w, errors.Join(bind(w.root, other.at), bind(w.root+"/in", part.at))
}

// furnish makes what a world begins with, in an overlay in its lower layer, half of which is
// in the upper one too.
func (s *Stage) furnish(w *World, fs string) error {
	if kindOf(fs) != "overlay" {
		return w.furnish(w.root)
	}
	l := layersBelow(s.layers(fs))
	if err := errors.Join(l.make(), w.furnish(l.lower)); err != nil {
		return err
	}
	for i := 0; i < len(w.nests); i += 2 {
		at := filepath.Join(l.upper, w.nest(i), "d0")
		if err := errors.Join(os.MkdirAll(at, 0o755), os.WriteFile(filepath.Join(at, "f1"), []byte("above"), 0o644)); err != nil {
			return err
		}
	}
	return l.mount(w.root)
}

// quiet waits until everything was read where events may be merged: one from before a
// directory moves would take in what is done after it.
func (s *Stage) quiet() error {
	if !s.backend.merges {
		return nil
	}
	return s.watcher.sync()
}

// act does a plan, each worker its own steps in their order, and then has all of them
// close what they hold.
func act(workers []*worker, plan Steps, serial bool) error {
	own := make([]Steps, len(workers))
	for _, step := range plan {
		own[step.Worker] = append(own[step.Worker], step)
		if serial {
			if err := workers[step.Worker].do(step); err != nil {
				return err
			}
		}
	}
	errs := make([]error, len(workers))
	var wg sync.WaitGroup
	for i, w := range workers {
		if serial {
			own[i] = nil
		}
		wg.Go(func() { errs[i] = w.all(append(own[i], Step{Worker: i, Do: "drop"})) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (w *worker) all(steps Steps) error {
	for _, s := range steps {
		if err := w.do(s); err != nil {
			return err
		}
	}
	return nil
}

// clear removes what an episode left, so that the next one gets its inodes again.
func (s *Stage) clear() error {
	errs := []error{s.stopProcesses()}
	for _, kind := range []string{spare, partMount, otherMount} {
		errs = append(errs, unmountBelow(s.mount(kind, "")))
	}
	for _, fs := range s.filesystems {
		errs = append(errs, unmountBelow(s.mount(mainMount, fs)))
	}
	errs = append(errs, s.watcher.sync()) // or the next episode is told of what went
	for _, fs := range s.filesystems {
		errs = append(errs, os.RemoveAll(s.root(fs)))
		if kindOf(fs) == "overlay" {
			errs = append(errs, os.RemoveAll(s.layers(fs)))
		}
	}
	return errors.Join(errs...)
}

// unmountBelow takes down every mount below a directory, the last first.
func unmountBelow(dir string) error {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	var errs []error
	for _, line := range slices.Backward(strings.Split(strings.TrimSpace(string(table)), "\n")) {
		if at := strings.Fields(line)[4]; strings.HasPrefix(at, dir+"/") {
			if err := unix.Unmount(at, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
				errs = append(errs, fmt.Errorf("unmount %s: %w", at, err))
			}
		}
	}
	return errors.Join(errs...)
}
