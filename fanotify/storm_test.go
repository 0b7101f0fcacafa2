// SPDX-License-Identifier: Apache-2.0

package fanotify

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

// A storm renames a directory t between w and o, and a directory s inside of t,
// while other threads make files in both through descriptors. Each step is
// written down with the ticks of a common clock before and after it. What the
// kernel did in between counts as of any moment in that span.

// stormLog is what the threads did.
type stormLog struct {
	Moves [2][]stormMove // of t, of s
	Files []stormFile
}

type stormMove struct {
	Start, End int64
	From, To   string // "w/t1": for t from the root, for s inside of t
}

type stormFile struct {
	Name                 string
	Deep                 bool // made in s, else in t
	Start, Created, Done int64
}

// storm is the verb: seconds of files to make, whether names are used again,
// where to write the log.
func storm(_ map[string]int, a []string) error {
	files, _ := strconv.Atoi(a[0])
	s := &stormer{again: a[1] == "again", files: files}
	if err := errors.Join(unix.Mkdir("w/t0", 0o755), unix.Mkdir("w/t0/s0", 0o755)); err != nil {
		return err
	}
	for i, dir := range []string{"w/t0", "w/t0/s0"} {
		fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
		if err != nil {
			return err
		}
		s.dirs[i] = fd
	}
	s.run()
	text, err := json.Marshal(&s.log)
	return errors.Join(s.err, err, os.WriteFile(a[2], text, 0o644))
}

type stormer struct {
	again bool
	files int
	dirs  [2]int // descriptors of t and s
	clock atomic.Int64
	stop  atomic.Bool
	mu    sync.Mutex
	log   stormLog
	err   error
}

func (s *stormer) run() {
	var movers, makers sync.WaitGroup
	movers.Go(func() { s.move(0, unix.AT_FDCWD, "w/t0", []string{"o/t", "w/t"}) })
	movers.Go(func() { s.move(1, s.dirs[0], "s0", []string{"s", "r"}) })
	for i := range 2 {
		makers.Go(func() { s.make(i) })
	}
	makers.Wait()
	s.stop.Store(true)
	movers.Wait()
}

// move renames one directory again and again, to names in turn.
func (s *stormer) move(which, dir int, at string, names []string) {
	for i := 1; !s.stop.Load(); i++ {
		to := names[i%2] + strconv.Itoa(i)
		if s.again {
			to = names[i%2]
		}
		m := stormMove{Start: s.clock.Add(1), From: at, To: to}
		if err := unix.Renameat(dir, at, dir, to); err != nil {
			s.fail(err)
			return
		}
		m.End = s.clock.Add(1)
		s.log.Moves[which] = append(s.log.Moves[which], m)
		at = to
		if i%3 == 0 {
			time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond)
		}
	}
}

// make makes files, in turn in s and in t.
func (s *stormer) make(thread int) {
	var done []stormFile
	for i := range s.files {
		f := stormFile{Name: fmt.Sprintf("f%d-%d", thread, i), Deep: i%2 == 0, Start: s.clock.Add(1)}
		dir := s.dirs[0]
		if f.Deep {
			dir = s.dirs[1]
		}
		fd, err := unix.Openat(dir, f.Name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, 0o644)
		f.Created = s.clock.Add(1)
		if err != nil {
			s.fail(err)
			return
		}
		_, _ = unix.Write(fd, []byte("x"))
		unix.Close(fd)
		f.Done = s.clock.Add(1)
		if i%4 == 0 {
			time.Sleep(time.Duration(rand.IntN(200)) * time.Microsecond)
		}
		done = append(done, f)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.Files = append(s.log.Files, done...)
}

func (s *stormer) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = errors.Join(s.err, err)
}

// during returns where a directory may have been in a span of ticks.
func during(first string, moves []stormMove, start, end int64) []string {
	var places []string
	if len(moves) == 0 || moves[0].End >= start {
		places = append(places, first)
	}
	for i, m := range moves {
		if m.Start <= end && (i+1 == len(moves) || moves[i+1].End >= start) {
			places = append(places, m.To)
		}
	}
	return places
}

// paths returns where a file may have been made in a span of ticks.
func (l *stormLog) paths(f stormFile, end int64) (paths []string) {
	for _, t := range during("w/t0", l.Moves[0], f.Start, end) {
		if !f.Deep {
			paths = append(paths, t+"/"+f.Name)
			continue
		}
		for _, s := range during("s0", l.Moves[1], f.Start, end) {
			paths = append(paths, t+"/"+s+"/"+f.Name)
		}
	}
	return paths
}

func TestPathsAreThoseOfTheMomentWhileTreesMove(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		for _, c := range []struct {
			name, names string
			nodes       int
		}{
			{"every name new", "new", maxNodes},
			{"every name new, nearly nothing remembered", "new", 3},
			{"names used again", "again", maxNodes},
		} {
			t.Run(c.name, func(t *testing.T) { w.weather(t, c.names, c.nodes) })
		}
	})
}

// weather runs one storm and compares what was told with what was done.
func (w *world) weather(t *testing.T, names string, nodes int) {
	w.t, w.player.t = t, t
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	w.do("rmtree w", "rmtree o", "mkdir w", "mkdir o")
	w.watch()
	w.g.tree.limit = nodes
	file := filepath.Join(t.TempDir(), "log")
	done := make(chan error, 1)
	go func() { done <- w.try("storm", "1000", names, file) }()
	var all []*event.Event
	for running := true; running; {
		all = append(all, w.events()...)
		time.Sleep(time.Duration(random.IntN(3000)) * time.Microsecond)
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		default:
		}
	}
	all = append(all, w.events()...)
	var log stormLog
	text, err := os.ReadFile(file)
	if err = errors.Join(err, json.Unmarshal(text, &log)); err != nil {
		t.Fatal(err)
	}
	w.compare(t, &log, all, names == "new")
}

// compare holds the events against the log: none may be wrong, and with exact
// none may be missing.
func (w *world) compare(t *testing.T, log *stormLog, all []*event.Event, exact bool) {
	created := map[string]string{}
	lost, pathless := 0, 0
	for _, e := range all {
		name := filepath.Base(string(e.File.HostPath))
		switch {
		case e.Op == event.OpLost:
			lost++
		case len(e.File.HostPath) == 0:
			pathless++
		case name[0] == 'f':
			f := log.file(name)
			end := f.Done
			if e.Op == event.OpCreate {
				end = f.Created
				created[name] = w.rel(e)
			}
			if paths := log.paths(f, end); !slices.Contains(paths, w.rel(e)) {
				t.Errorf("%s: it was at %q", w.line(e), paths)
			}
		}
	}
	missing := 0
	for _, f := range log.Files {
		inside := func(path string) bool { return strings.HasPrefix(path, "w/") }
		if created[f.Name] == "" && !slices.ContainsFunc(log.paths(f, f.Created), func(p string) bool { return !inside(p) }) {
			missing++
		}
	}
	t.Logf("%d moves, %d files, %d told, %d missing, %d without path, %d lost events, %d look-ups, %d in doubt, %d unresolved",
		len(log.Moves[0])+len(log.Moves[1]), len(log.Files), len(created), missing, pathless, lost,
		w.count("fanotify_lookups"), w.count("fanotify_doubts"), w.count("fanotify_unresolved"))
	if exact && (missing > 0 || pathless > 0 || lost > 0 || w.count("fanotify_unresolved") > 0) {
		t.Error("every name was new, so nothing may be in doubt")
	}
	if missing > 0 && lost == 0 && pathless == 0 {
		t.Error("files are missing and no lost event says so")
	}
}

func (w *world) rel(e *event.Event) string {
	return strings.TrimPrefix(string(e.File.HostPath), w.root+"/")
}

func (l *stormLog) file(name string) stormFile {
	i := slices.IndexFunc(l.Files, func(f stormFile) bool { return f.Name == name })
	return l.Files[i]
}
