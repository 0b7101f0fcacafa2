// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/strays"
)

// A directory moves out and in again while other threads keep the cached states below
// it hot: once it has been inside nothing is missed on either side, while the one
// program notes what leaves and Go has notes taken away.
func TestAFollowedTreeIsRightAtOnce(t *testing.T) {
	rounds := scale(500, 50_000)
	root := t.TempDir()
	in, out := makeDir(t, root, "in"), makeDir(t, root, "out")
	b := openWith(t, func(o *Options) {
		o.Ops, o.RingKiB, o.Follow = []event.Op{event.OpCreate, event.OpMkdir}, 64*1024, strays.New()
	}, in)
	cmd := actor("race", in, out, strconv.Itoa(rounds))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	files := readFollowed(t, b, in, out)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	missed := 0
	for i := range rounds {
		for _, name := range []string{"in", "out"} {
			if name += strconv.Itoa(i); files[name] != 1 {
				missed++
			}
			delete(files, name)
		}
	}
	if missed > 0 || len(files) > 0 {
		t.Errorf("of %d rounds %d missed, wrongly reported: %v", rounds, missed, files)
	}
	t.Logf("PROOF follow: %d rounds, %d missed, %d wrong", rounds, missed, len(files))
	logStats(t, b)
}

// readFollowed reads until the actor is done, and counts the files of its rounds by
// name, and as wrong ones those by path that were told of where they were not.
func readFollowed(t *testing.T, b *Backend, in, out string) map[string]int {
	t.Helper()
	files := map[string]int{}
	bottom := "/d" + downTo(raceDepth)
	for {
		var e event.Event
		if err := b.Next(&e, time.Now().Add(time.Minute)); err != nil {
			t.Fatalf("%v, after %d files", err, len(files))
		}
		path := string(e.File.HostPath)
		dir, name := filepath.Split(path)
		side, followed := out, e.Reason != nil
		if !followed {
			side = in
		}
		switch {
		case e.Op == event.OpLost && string(e.Lost.Reason) == "path_unstable":
		case e.Op == event.OpLost && string(e.Lost.Reason) == "map_full":
			// A note that could not be written is told, though nothing is missing: whoever
			// takes one away may be kept from ending that. See note_followed.
			t.Logf("told as lost for want of a note: %d", e.Lost.Count.V)
		case e.Op == event.OpLost:
			t.Errorf("lost %d: %s", e.Lost.Count.V, e.Lost.Reason)
		case path == in+"/end":
			return files
		case e.Op != event.OpCreate || path == "" || name == "hot" && strings.HasPrefix(dir, side+"/d/"):
		case dir == side+bottom+"/" && strings.HasPrefix(name, "out") == followed:
			files[name]++
		default:
			files[path]++
		}
	}
}
