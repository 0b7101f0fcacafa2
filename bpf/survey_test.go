// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

// What surveys took from those before them is what a whole one finds, whatever was
// mounted, bound, moved, unmounted and renamed in between, at any depth and in any
// order. Nobody asks for surveys here but those who change something.
func TestSurveysThatSpareWalksAgreeWithWholeOnes(t *testing.T) {
	skipWhereRefused(t)
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	root := t.TempDir()
	mount(t, "fim", root, "tmpfs", 0)
	in := func(p string) string { return filepath.Join(root, p) }
	b := openBackend(t, []event.Op{event.OpCreate, event.OpMkdir}, in("a"), in("b/*/c"), in("c/b/a/*"), in("**/c/c"))
	did := map[string]int{}
	for i := range scale(1500, 15_000) {
		what, err := shuffle(random, random.IntN(12), root)
		if err == nil {
			did[what]++
		}
		c, failed := b.seeder.control()
		if failed != nil || c.Asked != c.Done {
			t.Fatalf("step %d, %s: %d surveys asked for, %d done, %v; seed %d", i, what, c.Asked, c.Done, failed, seed)
		}
		if random.IntN(4) > 0 {
			continue // and see what adds up
		}
		spared := statesOf(t, b)
		b.seeder.whole = true
		if err := b.seeder.survey(); err != nil {
			t.Fatal(err)
		}
		if whole := statesOf(t, b); !maps.Equal(spared, whole) {
			t.Fatalf("step %d, %s (%v): %v, and by a whole survey %v; seed %d", i, what, err, spared, whole, seed)
		}
		if now, _ := hostMounts(t); i%10 == 0 || len(now) > 300 { // rbind doubles them
			for unix.Unmount(root, unix.MNT_DETACH) == nil {
			}
			if err := errors.Join(unix.Mount("fim", root, "tmpfs", 0, ""), b.Refresh()); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("PROOF surveys: %v; seed %d", did, seed)
	for _, what := range []string{"mkdir", "tmpfs", "bind", "rbind", "move", "umount", "rename", "exchange"} {
		if did[what] == 0 {
			t.Errorf("%s never succeeded; seed %d", what, seed)
		}
	}
}

// shuffle takes a step of one kind at a random place below root. Most places will
// not do, so it tries some.
func shuffle(r *rand.Rand, kind int, root string) (what string, err error) {
	for range 8 {
		if what, err = shuffleOnce(r, kind, root); err == nil {
			break
		}
	}
	return what, err
}

func shuffleOnce(r *rand.Rand, kind int, root string) (what string, err error) {
	path := func() string {
		p := root
		for range 1 + r.IntN(2) + r.IntN(2) {
			p = filepath.Join(p, []string{"a", "b", "c"}[r.IntN(3)])
		}
		return p
	}
	from, to := path(), path()
	switch kind {
	case 0, 1, 2:
		return "mkdir", os.MkdirAll(filepath.Join(to, "a/b"), 0o755)
	case 3:
		return "tmpfs", unix.Mount("fim", to, "tmpfs", 0, "")
	case 4:
		return "bind", unix.Mount(from, to, "", unix.MS_BIND, "")
	case 5:
		return "rbind", unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, "")
	case 6:
		return "move", unix.Mount(from, to, "", unix.MS_MOVE, "")
	case 7:
		return "umount", unix.Unmount(to, unix.MNT_DETACH)
	case 8, 9:
		return "rename", unix.Rename(from, to)
	default:
		return "exchange", unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_EXCHANGE)
	}
}

// statesOf are the seeds that are in force.
func statesOf(t *testing.T, b *Backend) map[uint64]uint32 {
	t.Helper()
	c, err := b.seeder.control()
	if err != nil {
		t.Fatal(err)
	}
	states := map[uint64]uint32{}
	err = b.seeder.each(c.Survey, func(address uint64, _ *trampolinesSeed, state uint32, ok bool) {
		if ok {
			states[address] = state
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return states
}
