// SPDX-License-Identifier: Apache-2.0

package fanotify

import (
	"testing"

	"github.com/falco-fim/fim/mount"
)

// What is read together with a change of the mount table may be from before it or from
// after it.
func TestWhatOnlyOneOfTwoMountTablesShowsIsInDoubt(t *testing.T) {
	for name, c := range map[string]struct{ prepare, before, do, then, want []string }{
		"uncovered": {
			prepare: []string{"mkdir w/d", "mount w/d"},
			do:      []string{"umount w/d", "touch w/d/f", "mkdir w/d/s"},
			then:    []string{"touch w/d/g", "touch w/d/s/g"},
			want:    []string{"lost mounts", ";", "create w/d/g", "create w/d/s/g"},
		},
		"covered": {
			prepare: []string{"mkdir w/d", "mkdir o/v", "bind w/d o/v"},
			do:      []string{"touch w/d/f", "mount w/d"},
			then:    []string{"touch o/v/h", "touch w/d/h"},
			want:    []string{"lost mounts", ";", "create w/d/h"},
		},
		"bound to a watched place": {
			prepare: []string{"mkdir w/d", "mkdir o/v"},
			do:      []string{"bind o/v w/d", "touch w/d/f"},
			then:    []string{"touch o/v/g"},
			want:    []string{"lost mounts", ";", "create w/d/g"},
		},
		"bound over what was bound": {
			prepare: []string{"mkdir w/d", "mkdir o/a", "mkdir o/b", "bind o/a w/d", "bind o/b w/d"},
			do:      []string{"umount w/d", "touch w/d/f"},
			then:    []string{"touch w/d/g"},
			want:    []string{"lost mounts", ";", "create w/d/g"},
		},
		"the same path by both": {
			prepare: []string{"mkdir w/d", "mkdir o/v"},
			do:      []string{"bind w/d o/v", "touch o/v/f", "touch w/g", "touch o/g"},
			want:    []string{"create w/d/f", "create w/g"},
		},
		"watched by both, at different paths": {
			prepare: []string{"mkdir o/v", "mkdir w/a", "mkdir w/b", "bind o/v w/b", "bind o/v w/a"},
			do:      []string{"umount w/b", "touch o/v/f"},
			then:    []string{"touch o/v/g"},
			want:    []string{"create -", ";", "create w/a/g"},
		},
		"unwatched by both": {
			prepare: []string{"mkdir o/v"},
			do:      []string{"mount o/v", "touch o/v/f", "touch o/f"},
		},
		"unmounted for good": {
			prepare: []string{"mkdir w/d", "mount w/d"},
			before:  []string{"touch w/d/known"},
			do:      []string{"touch w/d/f", "umount w/d"},
			want:    []string{"create -"},
		},
		"once for many": {
			prepare: []string{"mkdir w/d", "mount w/d"},
			do:      []string{"umount w/d", "flood w/d/f 100"},
			want:    []string{"lost mounts"},
		},
		"unwanted": {
			prepare: []string{"mkdir w/d", "touch w/d/f", "mount w/d"},
			do:      []string{"umount w/d", "read w/d/f"},
		},
		"in a directory that no mount shows any more": {
			prepare: []string{"mkdir w/d", "mount w/d", "mktree w/d/s/t"},
			do:      []string{"touch w/d/s/t/f", "umount w/d"},
			want:    []string{"lost mounts"},
		},
		"in a filesystem that was unmounted long before": {
			prepare: []string{"mkdir o/v", "mkdir w/d", "mount w/d", "mkdir w/d/s", "open 1 w/d/s/f"},
			before:  []string{"umount w/d"},
			do:      []string{"put 1", "mount o/v", "close 1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, mounters["tmpfs"])
			w.do(c.prepare...)
			w.watch()
			w.do(c.before...)
			w.events()
			w.do(c.do...)
			got := w.lines()
			if w.do(c.then...); len(c.then) > 0 {
				got = append(append(got, ";"), w.lines()...)
			}
			w.same(got, c.want)
		})
	}
}

// An event that waits when the table changes is from before that, where it was read before.
func TestWhatWasReadBeforeTheMountTableChangedIsJudgedByTheOldOne(t *testing.T) {
	w := newWorld(t, mounters["tmpfs"])
	w.do("mkdir w/d", "mktree w/e/s")
	w.watch()
	w.do("touch w/d/f", "touch w/e/s/f")
	if err := w.g.wait(farAway()); err != nil {
		t.Fatal(err)
	}
	w.g.look()
	w.do("mount w/d", "touch w/h")
	// To look up w/e/s the queue is read again. What that finds is another era.
	w.same(w.lines(), []string{"create w/d/f", "create w/e/s/f", "create w/h"})
}

func TestARenamedMountAndAChangedTableAreKeptApart(t *testing.T) {
	w := newWorld(t, mounters["tmpfs"])
	w.do("mktree w/a/m", "mktree w/x", "mount w/a/m")
	w.watch()
	w.do("touch w/a/m/f")
	w.expect("create w/a/m/f")
	w.do("rename w/a w/c", "touch w/c/m/g", "mount w/x", "touch w/c/m/h")
	for _, line := range w.lines() {
		switch line {
		case "rename w/c < w/a", "create w/c/m/g", "create w/c/m/h", "create -":
		default:
			t.Errorf("got %s", line)
		}
	}
	w.do("touch w/c/m/k", "touch w/x/k")
	w.expect("create w/c/m/k", "create w/x/k")
}

func TestAnEraKeepsNoMoreTablesThanItMay(t *testing.T) {
	var e era
	for range 3 {
		e.add(new(mount.Table))
	}
	e.floor = 2
	for range maxTables {
		e.add(new(mount.Table))
	}
	last := e.newest()
	if len(e.tables) != maxTables || !e.cut || e.floor != 0 || e.next() {
		t.Errorf("%d tables, cut %v, floor %d", len(e.tables), e.cut, e.floor)
	}
	if e.floor = maxTables - 1; !e.next() || len(e.tables) != 1 || e.newest() != last || e.cut {
		t.Errorf("then %d tables, cut %v", len(e.tables), e.cut)
	}
}

func TestWhereTablesWereDroppedAllIsInDoubt(t *testing.T) {
	w := newWorld(t, mounters["tmpfs"]).watch()
	w.do("touch w/f")
	if err := w.g.wait(farAway()); err != nil {
		t.Fatal(err)
	}
	w.g.look()
	w.g.cut = true
	w.same(w.lines(), []string{"lost mounts"})
	w.do("mkdir w/d")
	w.g.floor, w.g.cut = 0, false
	w.expect("mkdir w/d")
}
