// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

// raceDepth is how far below the moved directory the opened file lies.
const raceDepth = 10

// race moves the directory `moved` between two parents; after each move, once
// rename has returned, it creates and removes a file far below. Three threads
// keep every directory's tag hot meanwhile. Each file's name says the round and
// where it truly was.
func race(args []string) error {
	in, out := filepath.Join(args[0], "d"), filepath.Join(args[1], "d")
	rounds, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	below := ""
	for i := range raceDepth {
		below += fmt.Sprintf("/%d", i)
	}
	if err := os.MkdirAll(out+below, 0o755); err != nil {
		return err
	}
	var done atomic.Bool
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for !done.Load() {
				for _, at := range []string{in, out} {
					if fd, err := unix.Open(at+below+"/hot", unix.O_CREAT|unix.O_RDONLY, 0o600); err == nil {
						unix.Close(fd)
						unix.Unlink(at + below + "/hot")
					}
				}
			}
		})
	}
	for i := range rounds {
		err = errors.Join(err, unix.Rename(out, in), touch(fmt.Sprintf("%s%s/in%d", in, below, i)),
			unix.Rename(in, out), touch(fmt.Sprintf("%s%s/out%d", out, below, i)))
	}
	done.Store(true)
	wg.Wait()
	return errors.Join(err, unix.Mkdir(filepath.Join(args[0], "end"), 0o755))
}

func touch(path string) error {
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_EXCL|unix.O_RDONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(unix.Close(fd), unix.Unlink(path))
}

// A directory moves between watched and not watched while other threads keep
// the cached states below it hot: after rename has returned nothing is missed
// and nothing is wrongly reported, and each path is the one that was true.
func TestARenamedTreeIsRightAtOnce(t *testing.T) {
	rounds := 300
	if n, err := strconv.Atoi(os.Getenv("FIM_RACE_ROUNDS")); err == nil {
		rounds = n
	}
	root := t.TempDir()
	in, out := makeDir(t, root, "in"), makeDir(t, root, "out")
	b := openBackend(t, []event.Op{event.OpCreate, event.OpMkdir}, in)
	cmd := actor("race", in, out, strconv.Itoa(rounds))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	seen := watchRace(t, b, in)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	missed := 0
	for i := range rounds {
		if seen["in"+strconv.Itoa(i)] != 1 {
			missed++
		}
		delete(seen, "in"+strconv.Itoa(i))
	}
	if missed > 0 || len(seen) > 0 {
		t.Errorf("of %d rounds %d missed, %d wrongly reported: %v", rounds, missed, len(seen), seen)
	}
	logStats(t, b)
}

// watchRace counts the files seen, by name, until the actor is done.
func watchRace(t *testing.T, b *Backend, in string) map[string]int {
	seen := map[string]int{}
	var below string
	for i := range raceDepth {
		below += fmt.Sprintf("/%d", i)
	}
	deadline := time.Now().Add(5 * time.Minute)
	for {
		var e event.Event
		if err := b.Next(&e, deadline); err != nil {
			t.Fatal(err)
		}
		path := string(e.File.HostPath)
		switch {
		case path == filepath.Join(in, "end"):
			return seen
		case e.Op == event.OpLost:
			t.Errorf("lost %v: %s", e.Lost.Count, e.Lost.Reason)
		case filepath.Base(path) == "hot", e.Op != event.OpCreate:
		case filepath.Dir(path) == in+"/d"+below:
			seen[filepath.Base(path)]++
		default:
			seen["wrong path "+path]++
		}
	}
}

func init() { actors["race"] = race }
