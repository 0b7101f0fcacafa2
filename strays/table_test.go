// SPDX-License-Identifier: Apache-2.0

package strays

import (
	"testing"
	"time"
)

var one, two = ID{Dev: 5, Inode: 10}, ID{Dev: 5, Inode: 11}

func at(path string) Side      { return Side{Path: []byte(path)} }
func beneath(path string) Side { return Side{Path: []byte(path), Beneath: true} }

var outside Side

// origin checks where a thing comes from, "" for one that is not followed.
func origin(t *testing.T, table *Table, id ID, want string) {
	t.Helper()
	if got, ok := table.Origin(id, 0); got != want || ok != (want != "") {
		t.Errorf("%d: from %q, want %q", id.Inode, got, want)
	}
}

func TestARenameSaysWhetherAThingIsFollowed(t *testing.T) {
	for name, row := range map[string]struct {
		moves []Move
		want  string
	}{
		"out":                         {[]Move{{From: at("/etc/a"), To: outside}}, "/etc/a"},
		"out and on":                  {[]Move{{From: at("/etc/a"), To: outside}, {Again: true}}, "/etc/a"},
		"out, and another is renamed": {[]Move{{From: at("/etc/a"), To: outside}, {}}, ""},
		"out and back":                {[]Move{{From: at("/etc/a")}, {To: at("/etc/b")}}, ""},
		"out, back and out":           {[]Move{{From: at("/etc/a")}, {To: at("/etc/b")}, {From: at("/etc/b")}}, "/etc/b"},
		"inside":                      {[]Move{{From: at("/etc/a"), To: at("/etc/b")}}, ""},
		"outside":                     {[]Move{{}}, ""},
		"a file into a followed tree": {[]Move{{From: at("/etc/a"), To: beneath("/etc/d/a")}}, ""},
		"a file out of one":           {[]Move{{From: beneath("/etc/d/a")}}, "/etc/d/a"},
		"a tree into a followed one":  {[]Move{{Directory: true, From: at("/etc/a"), To: beneath("/etc/d/a")}}, "/etc/d/a"},
		"a followed tree, on":         {[]Move{{Directory: true, From: at("/etc/d")}, {Directory: true, Again: true}}, "/etc/d"},
		"a followed tree inside one":  {[]Move{{Directory: true, From: beneath("/etc/d/e"), To: beneath("/etc/d/f")}}, "/etc/d/f"},
	} {
		t.Run(name, func(t *testing.T) {
			table := New()
			follows := false
			for _, m := range row.moves {
				m.ID = one
				follows = table.Learn(m)
			}
			origin(t, table, one, row.want)
			if follows != (row.want != "") {
				t.Errorf("said %v", follows)
			}
		})
	}
}

func TestItEndsWithTheThing(t *testing.T) {
	table := New()
	table.Learn(Move{ID: one, From: at("/etc/a")})
	table.Forget(two)
	origin(t, table, one, "/etc/a")
	table.Forget(one)
	origin(t, table, one, "")
}

// The kernel side may have told by it before it was made to forget it.
func TestADirectoryThatIsBackIsKnownUntilNothingIsToldByIt(t *testing.T) {
	const second = uint64(time.Second)
	table := New()
	if table.Learn(Move{ID: one, Directory: true, To: at("/etc/e"), Time: second, Now: 10 * second}) {
		t.Error("it is followed")
	}
	table.Learn(Move{ID: two, Time: 11 * second})
	origin(t, table, one, "/etc/e")
	table.Learn(Move{ID: two, Time: 11*second + 1})
	origin(t, table, one, "")

	table.Learn(Move{ID: one, Directory: true, To: at("/etc/e"), Time: 12 * second, Now: 12 * second})
	table.Learn(Move{ID: one, Directory: true, From: at("/etc/e"), Time: 12 * second, Now: 12 * second})
	table.Learn(Move{ID: two, Time: 20 * second})
	origin(t, table, one, "/etc/e") // it left again
}

func TestTwoVolumesAreToldApart(t *testing.T) {
	table := New()
	table.Learn(Move{ID: one, From: at("/etc/a"), Volume: 7})
	for volume, want := range map[uint64]bool{0: true, 7: true, 8: false} {
		if _, ok := table.Origin(one, volume); ok != want {
			t.Errorf("volume %d: %v", volume, ok)
		}
	}
}

func TestATableIsBounded(t *testing.T) {
	table := New()
	for i := range uint64(Max + 1) {
		follows := table.Learn(Move{ID: ID{Inode: i + 1}, From: at("/etc/a")})
		if follows != (i < Max) {
			t.Fatalf("thing %d: %v", i, follows)
		}
	}
	if table.Refused() != 1 {
		t.Errorf("refused %d, want 1", table.Refused())
	}
	if !table.Learn(Move{ID: ID{Inode: 1}, From: at("/etc/b")}) {
		t.Error("one that is known was refused")
	}
}
