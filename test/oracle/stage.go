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
	processes   []*process
	episodes    int
}

// The mounts of a filesystem, below base.
const (
	mainMount  = "fs"   // where patterns name it
	otherMount = "view" // a second time, for all to see
	ownMount   = "own"  // a third time, in the namespace of one process
	partMount  = "part" // only what is watched, and only during an episode
)

func (s *Stage) mount(kind, fs string) string { return filepath.Join(s.base, kind, fs) }

// Open sets the stage below base, which must be empty, with mounts that the caller
// takes down by taking down everything below base.
func Open(base, fim, backendName string, filesystems []string, patience time.Duration) (*Stage, error) {
	b, ok := backends[backendName]
	if !ok {
		return nil, fmt.Errorf("no backend %q", backendName)
	}
	b.attempts = !b.merges && (slices.Contains(filesystems, "btrfs") || slices.Contains(filesystems, "overlay"))
	s := &Stage{base: base, filesystems: filesystems, backend: b}
	if err := s.mountAll(); err != nil {
		return nil, err
	}
	s.watched = s.patterns()
	var err error
	if s.watcher, err = startWatcher(fim, backendName, s.mount("marker", ""), s.watched, patience); err != nil {
		return nil, err
	}
	return s, s.startProcesses()
}

func (s *Stage) mountAll() error {
	if err := mountAt("tmpfs", s.mount("marker", "")); err != nil {
		return err
	}
	for _, fs := range s.filesystems {
		if err := mountAt(fs, s.mount(mainMount, fs)); err != nil {
			return err
		}
		for _, kind := range []string{otherMount, ownMount, partMount} {
			if err := os.MkdirAll(s.mount(kind, fs), 0o755); err != nil {
				return err
			}
		}
		if err := bind(s.mount(mainMount, fs), s.mount(otherMount, fs)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stage) patterns() (p patterns) {
	for _, fs := range s.filesystems {
		at := s.mount(mainMount, fs)
		p.include = append(p.include, at+"/*/in", at+"/*/glob/h*/n*/[fk]*")
		p.exclude = append(p.exclude, at+"/*/in/**/s")
	}
	return p
}

func (s *Stage) startProcesses() error {
	for i := range processCount {
		var own [][2]string
		if i == processCount-1 {
			for _, fs := range s.filesystems {
				own = append(own, [2]string{s.mount(mainMount, fs), s.mount(ownMount, fs)})
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

// Workers is how many workers a plan has.
func (s *Stage) Workers() int { return processCount * len(s.filesystems) }

// Close ends fim and the processes.
func (s *Stage) Close() error {
	errs := []error{s.watcher.stop()}
	for _, p := range s.processes {
		errs = append(errs, p.stop())
	}
	return errors.Join(errs...)
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
	var workers []*worker
	episode := fmt.Sprintf("e%d", s.episodes)
	for k, fs := range s.filesystems {
		world, err := newWorld(filepath.Join(s.mount(mainMount, fs), episode), processCount)
		if err != nil {
			return nil, err
		}
		if err := bind(world.root+"/in", s.mount(partMount, fs)); err != nil {
			return nil, err
		}
		for i, p := range s.processes {
			workers = append(workers, &worker{
				line: p.lines[k], world: world, fs: fs, nests: [2]int{2 * i, 2*i + 1}, views: s.views(i, fs, episode),
				watched: s.watched, backend: s.backend, quiet: s.quiet,
			})
		}
	}
	return workers, nil
}

// views are the mounts of a filesystem that a process has.
func (s *Stage) views(process int, fs, episode string) []view {
	all := []view{{at: filepath.Join(s.mount(mainMount, fs), episode)}, {at: filepath.Join(s.mount(otherMount, fs), episode)}}
	if process == processCount-1 {
		return append(all, view{at: filepath.Join(s.mount(ownMount, fs), episode)})
	}
	return append(all, view{at: s.mount(partMount, fs), shows: "in"})
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
	var errs []error
	for _, fs := range s.filesystems {
		errs = append(errs, unix.Unmount(s.mount(partMount, fs), unix.MNT_DETACH))
		errs = append(errs, os.RemoveAll(filepath.Join(s.mount(mainMount, fs), fmt.Sprintf("e%d", s.episodes))))
	}
	return errors.Join(errs...)
}

// unmountBelow takes down every mount below a directory.
func unmountBelow(dir string) error {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	var errs []error
	for line := range strings.Lines(string(table)) {
		if at := strings.Fields(line)[4]; strings.HasPrefix(at, dir+"/") {
			if err := unix.Unmount(at, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
				errs = append(errs, fmt.Errorf("unmount %s: %w", at, err))
			}
		}
	}
	return errors.Join(errs...)
}
