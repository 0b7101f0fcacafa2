// SPDX-License-Identifier: Apache-2.0

package links

import (
	"bytes"
	"slices"
	"strings"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/watch"
)

// ID is a file.
type ID struct {
	// Dev is the device of its filesystem, as /proc/PID/mountinfo has it.
	Dev uint64
	// Inode is its number there. In one subvolume of btrfs, or layer of overlayfs, it may
	// be another file's than in the next.
	Inode uint64
}

// Name is a watched name of a file.
type Name struct {
	// Path is on the host.
	Path string
	// Dev is the file's device as stat(2) shows it, which tells apart files with the same
	// ID; 0 where it is not known.
	Dev uint64
}

// MaxFiles is how many files a table holds, as many as the kernel side does
// (`inodes` in bpf/src/maps.h).
const MaxFiles = 65536

// Table holds files that have several names, with those of the names that are
// watched. It belongs to one goroutine.
type Table struct {
	set   *watch.Set
	holds func(ID, string) bool
	files map[ID]*file
	// doubts counts how often events were lost.
	doubts uint64
	full   bool
	moving *exchange
}

// file is what is known of one file.
type file struct {
	names  []Name // sorted by path
	doubts uint64 // when they were last known to be true
}

// find returns where a path is among the names, or belongs.
func (f *file) find(path string) (at int, found bool) {
	return slices.BinarySearchFunc(f.names, path, func(n Name, path string) int { return strings.Compare(n.Path, path) })
}

// exchange is that of two directories, of which the second event is to come.
type exchange struct {
	tid      uint64
	old, new string
}

// New returns an empty table. holds says whether a path on the host is a name of
// the file now.
func New(set *watch.Set, holds func(id ID, path string) bool) *Table {
	return &Table{set: set, holds: holds, files: map[ID]*file{}}
}

// Len is how many files the table holds, and Full says that there was one for which
// it had no place.
func (t *Table) Len() int   { return len(t.files) }
func (t *Table) Full() bool { return t.full }

// Doubt says that events were lost: what is known may have changed.
func (t *Table) Doubt() { t.doubts++ }

// Watched returns a path on the host by which a pattern covers the file, the first
// one in order where there are several, and the pattern's name. is says whether a name
// is of the file that is meant, where several may have the ID.
func (t *Table) Watched(id ID, is func(Name) bool) (path string, pattern []byte, ok bool) {
	f := t.files[id]
	if f == nil {
		return "", nil, false
	}
	if f.doubts != t.doubts {
		f.names = slices.DeleteFunc(f.names, func(n Name) bool { return !t.holds(id, n.Path) })
		f.doubts = t.doubts
	}
	if len(f.names) == 0 {
		delete(t.files, id)
		return "", nil, false
	}
	i := slices.IndexFunc(f.names, is)
	if i < 0 {
		return "", nil, false
	}
	path = f.names[i].Path
	pattern, ok = t.set.Match([]byte(path))
	return path, pattern, ok
}

// Add takes in a name that the file has now, and says whether a pattern covers it.
func (t *Table) Add(id ID, name Name) bool {
	if _, ok := t.set.Match([]byte(name.Path)); !ok {
		return false
	}
	f := t.files[id]
	if f == nil {
		if len(t.files) >= MaxFiles {
			t.full = true
			return false
		}
		f = &file{doubts: t.doubts}
		t.files[id] = f
	}
	if i, found := f.find(name.Path); !found {
		f.names = slices.Insert(f.names, i, name)
	} else if name.Dev != 0 {
		f.names[i] = name
	}
	return true
}

// remove takes a name away that the file no longer has. Where it is not known which,
// all are looked up before they count again.
func (t *Table) remove(id ID, path []byte) {
	f := t.files[id]
	if f == nil {
		return
	}
	if len(path) == 0 {
		f.doubts = t.doubts - 1
		return
	}
	if i, found := f.find(string(path)); found {
		f.names = slices.Delete(f.names, i, i+1)
	}
	if len(f.names) == 0 {
		delete(t.files, id)
	}
}

// forget drops a file of which one name is left, or none. Another one with the same ID
// stays; where the two cannot be told apart, names are looked up before they count again.
func (t *Table) forget(id ID, dev uint64) {
	f := t.files[id]
	if f == nil {
		return
	}
	if dev == 0 || slices.ContainsFunc(f.names, func(n Name) bool { return n.Dev == 0 }) {
		f.doubts = t.doubts - 1
		return
	}
	f.names = slices.DeleteFunc(f.names, func(n Name) bool { return n.Dev == dev })
	if len(f.names) == 0 {
		delete(t.files, id)
	}
}

// Learn takes in what an event tells of names. Events come in the order in which
// they happened, and none that failed.
func (t *Table) Learn(id ID, e *event.Event) {
	if t.moving != nil && t.moving.tid == e.Proc.Tid {
		second := e.Op == event.OpRename && string(e.Old.HostPath) == t.moving.new && string(e.File.HostPath) == t.moving.old
		t.moving = nil
		if second {
			return
		}
	}
	switch {
	case e.Op == event.OpRename && e.File.Type == event.TypeDirectory:
		t.moveTree(e)
	case e.Op == event.OpRename:
		t.remove(ID{id.Dev, e.Old.Inode}, e.File.HostPath)
		t.remove(id, e.Old.HostPath)
		t.see(id, e, e.File.HostPath)
	case e.Op == event.OpLink:
		t.see(id, e, e.Old.HostPath)
		t.see(id, e, e.File.HostPath)
	case e.Op == event.OpUnlink:
		t.remove(id, e.File.HostPath)
		if e.File.Nlink.Known && e.File.Nlink.V <= 1 {
			t.forget(id, e.File.Dev)
		}
	default:
		t.see(id, e, e.File.HostPath)
	}
}

// see notes a name of a file that has several.
func (t *Table) see(id ID, e *event.Event, path []byte) {
	if id.Inode != 0 && len(path) > 0 && e.File.Type != event.TypeDirectory && e.File.Nlink.Known && e.File.Nlink.V > 1 {
		t.Add(id, Name{string(path), e.File.Dev})
	}
}

// moveTree gives names below a directory that was renamed their new beginning. Of an
// exchange, which is two events, the first one changes both.
func (t *Table) moveTree(e *event.Event) {
	from, to := string(e.Old.HostPath), string(e.File.HostPath)
	swap := slices.ContainsFunc(e.Flags, func(flag []byte) bool { return bytes.Equal(flag, renameExchange) })
	if swap {
		t.moving = &exchange{e.Proc.Tid, from, to}
	}
	if from == "" {
		return
	}
	for id, f := range t.files {
		if !slices.ContainsFunc(f.names, func(n Name) bool { return below(n.Path, from) || swap && below(n.Path, to) }) {
			continue
		}
		names := f.names
		f.names = nil
		for _, name := range names {
			switch {
			case below(name.Path, from):
				name.Path = moved(name.Path, from, to)
			case swap && below(name.Path, to):
				name.Path = moved(name.Path, to, from)
			}
			if name.Path != "" {
				t.Add(id, name)
			}
		}
		if len(f.names) == 0 {
			delete(t.files, id)
		}
	}
}

var renameExchange = []byte("RENAME_EXCHANGE")

func below(path, dir string) bool { return strings.HasPrefix(path, dir+"/") }

// moved is the path after its directory has moved; "" when it has moved to where no
// path leads.
func moved(path, from, to string) string {
	if to == "" {
		return ""
	}
	return to + path[len(from):]
}
