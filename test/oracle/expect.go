// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Expect is what one event must say.
type Expect struct {
	Record
	// Maybe says that it need not come.
	Maybe bool
	// May are the keys that may be absent.
	May []string
	// Watched says that the path, which is not known, is a watched one.
	Watched *patterns
	// Step is what made it happen.
	Step string
}

// telling are the keys that say something by being there.
var telling = []string{"reason", "alias_path", "old.host_path", "old.view_path", "old.inode", "lost.count"}

// varying are the keys of which any of several values may do: "symlink|create".
var varying = []string{"op", "type"}

// absent as a value says that the key must not be there.
const absent = "-"

// scene is what a fact needs to become an event: where its spots are.
type scene struct {
	watched patterns
	spots   map[Spot]place
	pid     int
	tid     int
	// fresh says that fim may not have read the mount table since it changed.
	fresh bool
}

// expects returns the event of a fact, and whether there is one: of what is not watched,
// and leads to nothing that is, nothing is told.
func (s scene) expects(f Fact) (e Expect, told bool) {
	at := s.spots[f.At]
	moves := f.Op == "rename" && typeOf(f.File.Mode) == "directory"
	e.Record = Record{
		"op": f.Op, "res": "SUCCESS", "view_path": orAbsent(at.seen),
		"inode": number(f.File.Ino), "dev": number(f.File.Dev), "type": typeOf(f.File.Mode),
		"proc.pid": strconv.Itoa(s.pid), "proc.tid": strconv.Itoa(s.tid),
	}
	how := s.name(&e, "host_path", at, moves)
	doubted := s.watched.doubted(at)
	if f.From != none {
		from := s.spots[f.From]
		e.Record["old.view_path"] = orAbsent(from.seen)
		how = max(how, s.name(&e, "old.host_path", from, moves))
		doubted = doubted || s.watched.doubted(from)
	}
	if f.Replaced != 0 {
		e.Record["old.inode"] = number(f.Replaced)
	}
	if f.Size != unsized {
		e.Record["size"] = strconv.FormatInt(f.Size, 10)
	}
	if f.Old != unsized {
		e.Record["old.size"] = strconv.FormatInt(f.Old, 10)
	}
	e.Maybe = how == nothing && (s.fresh || at.left != "") && doubted
	return e, how != nothing || e.Maybe
}

// name sets the path on the host, and returns what patterns have to do with it. What just
// became hidden fim may tell without a path: it cannot know which table held.
func (s scene) name(e *Expect, key string, at place, moves bool) concern {
	host, how := s.watched.choose(at.hosts, moves)
	e.Record[key] = orAbsent(host)
	if s.fresh && how != covered {
		e.May = append(e.May, key)
	}
	return how
}

func orAbsent(path string) string {
	if path == "" {
		return absent
	}
	return path
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

func typeOf(mode uint32) string {
	return map[uint32]string{
		unix.S_IFREG: "file", unix.S_IFDIR: "directory", unix.S_IFLNK: "symlink", unix.S_IFIFO: "fifo",
		unix.S_IFSOCK: "socket", unix.S_IFCHR: "char", unix.S_IFBLK: "block",
	}[mode&unix.S_IFMT]
}

// differs returns how an event is not the one that is wanted, or "".
func (e Expect) differs(got Record) string {
	var why []string
	for _, key := range shown {
		want, says := e.Record[key]
		have, ok := got[key]
		switch {
		case !says && ok && slices.Contains(telling, key):
			why = append(why, fmt.Sprintf("%s is %s, and there was none", key, quoted(have)))
		case !says || want == have || slices.Contains(varying, key) && either(want, have):
		case want == absent && ok:
			why = append(why, fmt.Sprintf("%s is %s and cannot be known", key, quoted(have)))
		case want == absent, !ok && slices.Contains(e.May, key):
		case !ok:
			why = append(why, fmt.Sprintf("%s is absent, not %s", key, quoted(want)))
		default:
			why = append(why, fmt.Sprintf("%s is %s, not %s", key, quoted(have), quoted(want)))
		}
	}
	if host := got["host_path"]; e.Watched != nil && !e.Watched.covers(host) {
		why = append(why, fmt.Sprintf("host_path is %s, which is not watched", quoted(host)))
	}
	return strings.Join(why, ", ")
}

// naming are the operations on names, which are told with these; others are of the file.
var naming = []string{"rename", "link", "unlink"}

// mayBeAlias says whether what was done at a path that is not watched may be told
// because the file has another name: whether that is watched the worker does not know.
func (f *Fact) mayBeAlias() bool {
	others := f.File.Nlink > 1 || f.Op == "unlink" && f.File.Nlink > 0
	return others && f.File.Mode&unix.S_IFMT != unix.S_IFDIR
}

// aliased is the event of a fact at a path that is not watched, if the file has a name
// that is.
func (s scene) aliased(f Fact, r Record) Expect {
	e := Expect{Record: r}
	r["reason"] = "hardlink"
	if !slices.Contains(naming, f.Op) {
		r["alias_path"] = r["host_path"]
		delete(r, "host_path")
		e.Watched = &s.watched
	}
	return e
}

func either(want, have string) bool {
	return strings.Contains("|"+want+"|", "|"+have+"|")
}
