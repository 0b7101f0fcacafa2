// SPDX-License-Identifier: Apache-2.0

package links

import (
	"testing"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/watch"
)

var one, two = ID{Dev: 5, Inode: 10}, ID{Dev: 5, Inode: 11}

func tableOf(t *testing.T, holds func(ID, string) bool, patterns ...string) *Table {
	t.Helper()
	var include []watch.Pattern
	for _, p := range patterns {
		include = append(include, watch.Pattern{Glob: p, Name: p})
	}
	set, err := watch.Compile(watch.Options{Include: include})
	if err != nil {
		t.Fatal(err)
	}
	return New(set, holds)
}

func anything(ID, string) bool { return true }

func of(op event.Op, old, path string, nlink uint64) *event.Event {
	e := &event.Event{Op: op, File: event.File{HostPath: []byte(path), Dev: one.Dev, Type: event.TypeFile, Nlink: event.Known(nlink)}}
	e.Old.HostPath = []byte(old)
	return e
}

func directory(old, path string) *event.Event {
	e := of(event.OpRename, old, path, 2)
	e.File.Type = event.TypeDirectory
	return e
}

func exchanged(e *event.Event) *event.Event {
	e.Flags = [][]byte{[]byte("RENAME_EXCHANGE")}
	e.Proc.Tid = 7
	return e
}

// want checks by which name a file is watched, "" for none.
func want(t *testing.T, table *Table, id ID, path string) {
	t.Helper()
	got, pattern, ok := table.Watched(id, func(Name) bool { return true })
	if got != path || ok != (path != "") {
		t.Errorf("file %d is watched as %q, want %q", id.Inode, got, path)
	}
	if ok && string(pattern) != "/etc" {
		t.Errorf("by pattern %q", pattern)
	}
}

func TestAFileIsWatchedAsLongAsItHasAWatchedName(t *testing.T) {
	table := tableOf(t, anything, "/etc")
	table.Learn(one, of(event.OpClose, "", "/etc/a", 1))
	want(t, table, one, "")
	table.Learn(one, of(event.OpLink, "/etc/a", "/out/a", 2))
	want(t, table, one, "/etc/a")
	table.Learn(one, of(event.OpLink, "/out/a", "/etc/0", 3))
	want(t, table, one, "/etc/0")
	table.Learn(one, of(event.OpUnlink, "", "/etc/0", 2))
	want(t, table, one, "/etc/a")
	table.Learn(one, of(event.OpRename, "/etc/a", "/etc/b", 2))
	want(t, table, one, "/etc/b")
	table.Learn(one, of(event.OpRename, "/etc/b", "/out/b", 2))
	want(t, table, one, "")
	table.Learn(one, of(event.OpRename, "/out/b", "/etc/c", 2))
	want(t, table, one, "/etc/c")
	replaces := of(event.OpRename, "/etc/new", "/etc/c", 1)
	replaces.Old.Inode = one.Inode
	table.Learn(two, replaces)
	want(t, table, one, "")
	if table.Len() != 0 {
		t.Errorf("%d files are left", table.Len())
	}
}

func TestNothingIsKeptOfAFileWithOneNameLeft(t *testing.T) {
	table := tableOf(t, anything, "/etc")
	table.Learn(one, of(event.OpLink, "/etc/a", "/etc/b", 2))
	table.Learn(one, of(event.OpUnlink, "", "/etc/b", 1))
	if table.Len() != 0 {
		t.Errorf("%d files are left", table.Len())
	}
}

// Such are a file of a btrfs subvolume and its twin in a snapshot.
func TestOfTwoFilesWithTheSameNumbersTheOtherStays(t *testing.T) {
	table := tableOf(t, func(_ ID, path string) bool { return path == "/etc/twin" }, "/etc")
	table.Add(one, Name{"/etc/a", 7})
	table.Add(one, Name{"/etc/twin", 8})
	gone := func(dev uint64) *event.Event {
		e := of(event.OpUnlink, "", "/out/a", 1)
		e.File.Dev = dev
		return e
	}
	is := func(dev uint64) bool {
		_, _, ok := table.Watched(one, func(n Name) bool { return n.Dev == dev })
		return ok
	}
	if !is(7) || !is(8) {
		t.Error("the device does not tell them apart")
	}
	table.Learn(one, gone(7))
	if is(7) || !is(8) {
		t.Error("the file with one name left stayed, or its twin did not")
	}
	table.Add(one, Name{"/etc/a", 7})
	table.Learn(one, gone(0)) // of which nobody knows whose
	if is(7) || !is(8) {
		t.Error("the names were not looked up")
	}
}

func TestNamesMoveWithTheirDirectories(t *testing.T) {
	table := tableOf(t, anything, "/etc")
	table.Add(one, Name{"/etc/d/a", one.Dev})
	table.Add(two, Name{"/etc/dd/b", one.Dev})
	table.Learn(ID{}, directory("/etc/d", "/etc/e"))
	want(t, table, one, "/etc/e/a")
	want(t, table, two, "/etc/dd/b")
	table.Learn(ID{}, exchanged(directory("/etc/e", "/etc/dd")))
	table.Learn(ID{}, exchanged(directory("/etc/dd", "/etc/e")))
	want(t, table, one, "/etc/dd/a")
	want(t, table, two, "/etc/e/b")
	table.Learn(ID{}, directory("/etc/dd", "/out/d"))
	want(t, table, one, "")
	table.Learn(ID{}, directory("/etc/e", ""))
	want(t, table, two, "")
}

func TestTwoExchangesAfterEachOtherAreNotTakenForOne(t *testing.T) {
	table := tableOf(t, anything, "/etc")
	table.Add(one, Name{"/etc/d/a", one.Dev})
	for range 2 {
		table.Learn(ID{}, exchanged(directory("/etc/d", "/etc/e")))
		table.Learn(ID{}, exchanged(directory("/etc/e", "/etc/d")))
	}
	want(t, table, one, "/etc/d/a")
}

func TestAfterALossANameIsLookedUpBeforeItCounts(t *testing.T) {
	there := map[string]bool{"/etc/b": true}
	asked := 0
	table := tableOf(t, func(_ ID, path string) bool { asked++; return there[path] }, "/etc")
	table.Add(one, Name{"/etc/a", one.Dev})
	table.Add(one, Name{"/etc/b", one.Dev})
	table.Add(two, Name{"/etc/c", one.Dev})
	want(t, table, one, "/etc/a")
	if asked != 0 {
		t.Error("a name was looked up although nothing was lost")
	}
	table.Doubt()
	want(t, table, one, "/etc/b")
	want(t, table, two, "")
	want(t, table, one, "/etc/b")
	if asked != 3 {
		t.Errorf("names were looked up %d times, want 3", asked)
	}
}

func TestAfterANameWentOfWhichNobodyKnowsTheOthersAreLookedUp(t *testing.T) {
	table := tableOf(t, func(_ ID, path string) bool { return path == "/etc/b" }, "/etc")
	table.Add(one, Name{"/etc/a", one.Dev})
	table.Add(one, Name{"/etc/b", one.Dev})
	want(t, table, one, "/etc/a")
	table.Learn(one, of(event.OpUnlink, "", "", 2))
	want(t, table, one, "/etc/b")
}

func TestATableThatIsFullSaysSo(t *testing.T) {
	table := tableOf(t, anything, "/etc")
	for i := range uint64(MaxFiles) {
		table.Add(ID{Dev: 1, Inode: i + 1}, Name{"/etc/a", 1})
	}
	if table.Full() {
		t.Error("it is full too early")
	}
	if table.Add(one, Name{"/etc/b", one.Dev}) || !table.Full() {
		t.Error("there was place for one more")
	}
}
