// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"fmt"
	"testing"
)

func TestAPathLeadsWhereItsLastMountShows(t *testing.T) {
	world, cover := &tree{fs: "ext4"}, &tree{fs: "tmpfs"}
	main, view := &mounted{at: "/w", tree: world}, &mounted{at: "/v", tree: world}
	n := &namespace{[]*mounted{main, view}}
	part := &mounted{at: "/w/in/at", tree: world, root: "out", on: main}
	over := &mounted{at: "/w/in", tree: cover, on: main}
	for _, row := range []struct {
		what         string
		do           func()
		seen, hidden string // of out/f in the world
		leads        *mounted
		rel          string // of /w/in/at/f
	}{
		{"at first", func() {}, "[/w/out/f /v/out/f]", "[]", main, "in/at/f"},
		{"a part is bound inside", func() { n.attach(part) }, "[/w/out/f /v/out/f /w/in/at/f]", "[]", part, "out/f"},
		{"something lies over that", func() { n.attach(over) }, "[/w/out/f /v/out/f]", "[/w/in/at/f]", over, "at/f"},
		{"and goes again", func() { n.detach(over) }, "[/w/out/f /v/out/f /w/in/at/f]", "[]", part, "out/f"},
		{"and so does the part", func() { n.detach(part) }, "[/w/out/f /v/out/f]", "[]", main, "in/at/f"},
	} {
		row.do()
		seen, hidden := n.paths(world, "out/f")
		if fmt.Sprint(seen) != row.seen || fmt.Sprint(hidden) != row.hidden {
			t.Errorf("%s: it is seen by %v, and hidden by %v", row.what, seen, hidden)
		}
		if m, rel := n.find("/w/in/at/f"); m != row.leads || rel != row.rel {
			t.Errorf("%s: the path leads to %q of %+v", row.what, rel, m)
		}
	}
}

func TestAMountIsPickedThatCanNameAllPaths(t *testing.T) {
	world, cover := &tree{fs: "ext4"}, &tree{fs: "tmpfs"}
	main, view := &mounted{at: "/w", tree: world}, &mounted{at: "/v", tree: world}
	part, over := &mounted{at: "/p", tree: world, root: "in"}, &mounted{at: "/w/in", tree: cover, on: main}
	n := &namespace{[]*mounted{main, view, part, over}}
	for _, row := range []struct {
		k            int
		rels         []string
		picked, open *mounted
	}{
		{0, []string{"out/a"}, main, main},
		{0, []string{"in/a"}, main, view},
		{2, []string{"in/a", "in/b"}, part, part},
		{2, []string{"in/a", "out/b"}, main, view},
		{3, []string{"in/a"}, main, view},
		{6, []string{"in/a"}, part, part},
	} {
		if m := n.pick(row.k, world, row.rels...); m != row.picked {
			t.Errorf("%d, %q: picked %q", row.k, row.rels, m.at)
		}
		if m := n.pickOpen(row.k, world, row.rels...); m != row.open {
			t.Errorf("%d, %q: open is %q", row.k, row.rels, m.at)
		}
	}
}
