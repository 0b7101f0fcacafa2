// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

// The tree is three levels of directories with treeWidth on the upper two.
const (
	treeWidth   = 10
	treeWorkers = 4
)

// leafOf is the path of a leaf directory below the tree's top.
func leafOf(n int) string {
	return fmt.Sprintf("%d/%d/%d", n%treeWidth, n/treeWidth%treeWidth, n/(treeWidth*treeWidth))
}

// growTree makes a tree of at least so many directories and says how many
// leaves it has.
func growTree(t *testing.T, top string, directories int) (leaves int) {
	t.Helper()
	leaves = directories - treeWidth - treeWidth*treeWidth
	for n := range leaves {
		if err := os.MkdirAll(filepath.Join(top, leafOf(n)), 0o755); err != nil {
			t.Fatalf("directory %d of the tree: %v", n, err)
		}
	}
	return leaves
}

// trek is the load: one thread moves the tree from place to place, four create
// files in it through a descriptor of its top, which follows it. All write down
// what they did and between which moments. Arguments: the log, the seed, files
// per worker, leaves, and the places, in the first of which the tree is.
func trek(args []string) error {
	seed, err0 := strconv.ParseUint(args[1], 10, 64)
	files, err1 := strconv.Atoi(args[2])
	leaves, err2 := strconv.Atoi(args[3])
	places := args[4:]
	top, err3 := unix.Open(filepath.Join(places[0], "t"), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err := errors.Join(err0, err1, err2, err3); err != nil {
		return err
	}
	var work sync.WaitGroup
	errs := make([]error, treeWorkers)
	logs := make([][]string, treeWorkers)
	for i := range treeWorkers {
		work.Go(func() { logs[i], errs[i] = fileMany(top, i, files, leaves, seed) })
	}
	over := make(chan struct{})
	go func() { work.Wait(); close(over) }()
	moves, err := moveAround(places, seed, over)
	text := strings.Join(slices.Concat(append(logs, moves)...), "")
	return errors.Join(err, errors.Join(errs...), os.WriteFile(args[0], []byte(text), 0o600), unix.Mkdir(filepath.Join(places[1], "end"), 0o755))
}

// fileMany creates files in leaves of the tree.
func fileMany(top, worker, files, leaves int, seed uint64) (log []string, err error) {
	runtime.LockOSThread()
	random := rand.New(rand.NewPCG(seed, uint64(worker)))
	for i := range files {
		name := fmt.Sprintf("%s/f%d.%d", leafOf(random.IntN(leaves)), worker, i)
		from := bootTime()
		fd, err := unix.Openat(top, name, unix.O_CREAT|unix.O_EXCL|unix.O_RDONLY, 0o600)
		to := bootTime()
		if err != nil {
			return log, fmt.Errorf("create %s: %w", name, err)
		}
		unix.Close(fd)
		log = append(log, fmt.Sprintf("create %d %d %s\n", from, to, name))
	}
	return log, nil
}

// moveAround renames the tree from place to place, pausing for a random while,
// until the workers are over.
func moveAround(places []string, seed uint64, over <-chan struct{}) (log []string, err error) {
	runtime.LockOSThread()
	random := rand.New(rand.NewPCG(seed, treeWorkers))
	for at := 0; ; at = (at + 1) % len(places) {
		select {
		case <-over:
			return log, nil
		case <-time.After(time.Duration(random.IntN(10_000)) * time.Microsecond):
		}
		next := places[(at+1)%len(places)]
		from := bootTime()
		err := unix.Rename(filepath.Join(places[at], "t"), filepath.Join(next, "t"))
		log = append(log, fmt.Sprintf("move %d %d %s\n", from, bootTime(), next))
		if err != nil {
			return log, err
		}
	}
}

// deed is one line of the actor's log.
type deed struct {
	from, to uint64 // it happened between these moments
	what     string // the file, below the top, or the place moved to
}

// diary is the whole log.
type diary struct {
	moves   []deed
	creates map[string]deed
}

func readDiary(t *testing.T, name string) diary {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := diary{creates: map[string]deed{}}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var verb string
		var one deed
		if _, err := fmt.Sscan(lines.Text(), &verb, &one.from, &one.to, &one.what); err != nil {
			t.Fatal(err)
		}
		if verb == "move" {
			d.moves = append(d.moves, one)
		} else {
			d.creates[one.what] = one
		}
	}
	return d
}

// places are those where the tree can have been at some moment of a deed: one,
// or more if moves overlap it.
func (d *diary) places(start string, one deed) []string {
	at := []string{start}
	for _, m := range d.moves {
		switch {
		case m.to < one.from:
			at = []string{m.what}
		case m.from <= one.to:
			at = append(at, m.what)
		}
	}
	return at
}

// A tree of 100,000 directories is moved between two watched places and one
// that is not, while four threads create files in it. Each event has the path
// that was true at its moment, by the threads' own log: where no move overlaps
// a creation there is one answer, else any place of those moves is one.
func TestAMovingTreeIsWhereItIsSaid(t *testing.T) {
	skipWhereRefused(t)
	directories, files := scale(10_000, 100_000), scale(500, 5_000)
	seed := uint64(time.Now().UnixNano())
	root := t.TempDir()
	out, one, two := makeDir(t, root, "out"), makeDir(t, root, "one"), makeDir(t, root, "two")
	leaves := growTree(t, filepath.Join(out, "t"), directories)
	b := openBackend(t, []event.Op{event.OpCreate, event.OpMkdir, event.OpRename}, one, two)
	log := filepath.Join(root, "log")
	cmd := actor("trek", log, fmt.Sprint(seed), strconv.Itoa(files), strconv.Itoa(leaves), out, one, two)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	all := drain(t, b, filepath.Join(one, "end"))
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	d := readDiary(t, log)
	sum := judgeTree(t, all, &d, out, []string{one, two})
	t.Logf("PROOF tree: %d directories, %d files by %d threads, %d moves: %s; seed %d", directories+1, len(d.creates), treeWorkers, len(d.moves), sum, seed)
	if len(d.creates) != files*treeWorkers || len(d.moves) < 3 {
		t.Errorf("only %d creations and %d moves are in the log", len(d.creates), len(d.moves))
	}
	logStats(t, b)
}

// verdict counts what became of the creations.
type verdict struct {
	surely, either, outside                  int // files: watched at their moment, overlapped by a move, not watched
	missed, wrong, twice, pathless, mistimed int
}

func (v verdict) String() string {
	return fmt.Sprintf("%d surely watched, %d overlapped by a move, %d outside; %d missed, %d wrong, %d twice, %d without a path, %d mistimed",
		v.surely, v.either, v.outside, v.missed, v.wrong, v.twice, v.pathless, v.mistimed)
}

// judgeTree holds events against the log.
func judgeTree(t *testing.T, all []*event.Event, d *diary, start string, watched []string) (v verdict) {
	t.Helper()
	seen := map[string]string{} // file -> the place it was reported in
	var renames []*event.Event
	for _, e := range all {
		place, file, ok := strings.Cut(string(e.File.HostPath), "/t/")
		c, known := d.creates[file]
		switch {
		case e.Op == event.OpLost:
			t.Errorf("lost %d: %s", e.Lost.Count.V, e.Lost.Reason)
		case e.Op == event.OpRename:
			renames = append(renames, e)
		case e.File.HostPath == nil:
			v.pathless++
		case !ok || !known || e.Op != event.OpCreate:
			v.wrong++
			t.Errorf("%v %s is not in the log", e.Op, e.File.HostPath)
		case seen[file] != "":
			v.twice++
		case e.Boot < c.from || e.Boot > c.to:
			v.mistimed++
			seen[file] = place
		default:
			seen[file] = place
		}
	}
	for file, c := range d.creates {
		d.judgeOne(t, &v, c, seen[file], start, watched)
	}
	judgeMoves(t, renames, d, start, watched)
	if v.missed+v.wrong+v.twice+v.pathless+v.mistimed > 0 {
		t.Errorf("%s", v)
	}
	return v
}

// judgeOne judges one file, reported in a place or, if that is empty, not.
func (d *diary) judgeOne(t *testing.T, v *verdict, c deed, reported, start string, watched []string) {
	t.Helper()
	where := d.places(start, c)
	inside := slices.ContainsFunc(where, func(p string) bool { return slices.Contains(watched, p) })
	outside := slices.Contains(where, start)
	switch {
	case !inside:
		v.outside++
	case len(where) > 1:
		v.either++
	default:
		v.surely++
	}
	switch {
	case reported == "" && inside && !outside && len(where) == 1:
		v.missed++
		t.Errorf("%s was made in %s and is missed", c.what, where)
	case reported == "" && inside && !outside:
		// Moved between two watched places meanwhile: watched throughout.
		v.missed++
		t.Errorf("%s was made in one of %s, all watched, and is missed", c.what, where)
	case reported != "" && !slices.Contains(where, reported):
		v.wrong++
		t.Errorf("%s was made in %s and is reported in %s", c.what, where, reported)
	}
}

// judgeMoves checks that each move between places of which one is watched is
// one event with both paths, in order.
func judgeMoves(t *testing.T, got []*event.Event, d *diary, start string, watched []string) {
	t.Helper()
	var want, have []string
	at := start
	for _, m := range d.moves {
		if slices.Contains(watched, at) || slices.Contains(watched, m.what) {
			want = append(want, at+"/t -> "+m.what+"/t")
		}
		at = m.what
	}
	for _, e := range got {
		have = append(have, string(e.Old.HostPath)+" -> "+string(e.File.HostPath))
	}
	if !slices.Equal(have, want) {
		t.Errorf("%d renames reported, %d made; the first are %q and %q", len(have), len(want), have[:min(3, len(have))], want[:min(3, len(want))])
	}
}

func init() { actors["trek"] = trek }
