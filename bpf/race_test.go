// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

// raceDepth is how far below the moved directory the opened file lies.
const raceDepth = 10

// downTo is the path of the directory so many levels below the moved one.
func downTo(depth int) string {
	below := ""
	for i := range depth {
		below += fmt.Sprintf("/%d", i)
	}
	return below
}

// race moves the directory `d` between two parents; after each move, once
// rename has returned, it creates and removes a file far below. Three threads
// keep tags hot meanwhile, at the bottom and half way, where a wrong one would
// poison what is below. Each file's name says the round and where it truly was.
func race(args []string) error {
	in, out := filepath.Join(args[0], "d"), filepath.Join(args[1], "d")
	rounds, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	if err := errors.Join(os.MkdirAll(out+downTo(raceDepth), 0o755), unix.Mkdir(filepath.Join(args[0], "start"), 0o755)); err != nil {
		return err
	}
	var done atomic.Bool
	var wg sync.WaitGroup
	for _, depth := range []int{4, 7, raceDepth} {
		wg.Go(func() { keepHot(&done, in+downTo(depth)+"/hot", out+downTo(depth)+"/hot") })
	}
	bottom := downTo(raceDepth)
	for i := range rounds {
		err = errors.Join(err, unix.Rename(out, in), touch(fmt.Sprintf("%s%s/in%d", in, bottom, i)),
			unix.Rename(in, out), touch(fmt.Sprintf("%s%s/out%d", out, bottom, i)))
	}
	done.Store(true)
	wg.Wait()
	return errors.Join(err, unix.Mkdir(filepath.Join(args[0], "end"), 0o755))
}

// keepHot creates and removes a file wherever it can be reached, which makes
// the programs compute its directory's state.
func keepHot(done *atomic.Bool, files ...string) {
	runtime.LockOSThread()
	for !done.Load() {
		for _, f := range files {
			if fd, err := unix.Open(f, unix.O_CREAT|unix.O_RDONLY, 0o600); err == nil {
				unix.Close(fd)
				unix.Unlink(f)
			}
		}
	}
}

func touch(path string) error {
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_EXCL|unix.O_RDONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(unix.Close(fd), unix.Unlink(path))
}

// sightings are what a reader saw of a race.
type sightings struct {
	files    map[string]int // files of the rounds, by name
	wrong    []string       // paths where no file can have been
	pathless int            // of the thread that moves: its own paths are never in doubt
	hot      int            // events of the other threads
	doubtful int            // of those without a path, because renames kept overtaking the walk
	// undecided are told as lost for the same reason: whether they were inside
	// cannot be told. None is the mover's, or one of its files would be missed.
	undecided int
}

// A directory moves between watched and not watched while other threads keep
// the cached states below it hot: after rename has returned nothing is missed
// and nothing is wrongly reported, and each path is the one that was true.
func TestARenamedTreeIsRightAtOnce(t *testing.T) {
	rounds := scale(500, 50_000)
	root := t.TempDir()
	in, out := makeDir(t, root, "in"), makeDir(t, root, "out")
	b := openSized(t, 64*1024, []event.Op{event.OpCreate, event.OpMkdir}, in)
	cmd := actor("race", in, out, strconv.Itoa(rounds))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := watchRace(t, b, in)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	missed := 0
	for i := range rounds {
		name := "in" + strconv.Itoa(i)
		if s.files[name] != 1 {
			missed++
		}
		delete(s.files, name)
	}
	wrong := len(s.files) + len(s.wrong)
	if missed > 0 || wrong > 0 || s.pathless > 0 {
		t.Errorf("of %d rounds %d missed, %d wrongly reported, %d without a path: %v %v", rounds, missed, wrong, s.pathless, s.files, s.wrong)
	}
	t.Logf("PROOF race: %d rounds, %d missed, %d wrong, %d without a path; of %d events of other threads %d without a path, and %d told as lost", rounds, missed, wrong, s.pathless, s.hot+s.doubtful, s.doubtful, s.undecided)
	logStats(t, b)
}

// watchRace reads until the actor is done.
func watchRace(t *testing.T, b *Backend, in string) sightings {
	t.Helper()
	s := sightings{files: map[string]int{}}
	var mover uint64
	bottom := in + "/d" + downTo(raceDepth)
	for {
		var e event.Event
		if err := b.Next(&e, time.Now().Add(time.Minute)); err != nil {
			t.Fatalf("%v, after %d files", err, len(s.files))
		}
		dir, name := filepath.Split(string(e.File.HostPath))
		dir = strings.TrimSuffix(dir, "/")
		switch {
		case e.Op == event.OpLost && string(e.Lost.Reason) == "path_unstable":
			s.undecided += int(e.Lost.Count.V)
		case e.Op == event.OpLost:
			t.Errorf("lost %d: %s", e.Lost.Count.V, e.Lost.Reason)
		case dir == in && name == "start":
			mover = e.Proc.Tid
		case dir == in && name == "end":
			return s
		case e.File.HostPath == nil && e.Proc.Tid == mover:
			s.pathless++
		case e.File.HostPath == nil:
			s.doubtful++
		case name == "hot" && (dir == bottom || dir == in+"/d"+downTo(4) || dir == in+"/d"+downTo(7)):
			s.hot++
		case dir == bottom && e.Op == event.OpCreate && e.Proc.Tid == mover:
			s.files[name]++
		default:
			s.wrong = append(s.wrong, string(e.File.HostPath))
		}
	}
}

func init() { actors["race"] = race }
