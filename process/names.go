// SPDX-License-Identifier: Apache-2.0

package process

import (
	"bytes"
	"cmp"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

// maxNames is how much of a file of users or groups is read, in bytes: some
// 200,000 lines. The names behind it are not known.
const maxNames = 16 << 20

// longestName is how long a name may be, in bytes; useradd(8) takes 32.
const longestName = 255

// recheck is how long a path is taken to lead to the same file, and what is not
// there to be missing, in nanoseconds. A change of the file itself is seen at once.
const recheck = 1_000_000_000

// Names are the names of users and groups in the host's own files, as they stand
// now. It is not safe for concurrent use.
type Names struct{ users, groups nameFile }

// NewNames returns the names in the files of host.
func NewNames(host *Host) *Names {
	return &Names{users: newNameFile(host, "etc/passwd"), groups: newNameFile(host, "etc/group")}
}

// Fill sets the names of the ids in e. An id without a name has none.
func (n *Names) Fill(e *event.Event) {
	now := bootNow()
	n.users.refresh(now)
	n.groups.refresh(now)
	e.Proc.User, e.Proc.Login = n.users.find(e.Proc.UID), n.users.find(e.Proc.LoginUID)
	e.Proc.Group = n.groups.find(e.Proc.GID)
	e.File.Owner, e.File.Group = n.users.find(e.File.UID), n.groups.find(e.File.GID)
}

// Close releases the files.
func (n *Names) Close() error {
	n.users.forget()
	n.groups.forget()
	return nil
}

// nameFile is one file in memory.
type nameFile struct {
	host *Host
	path string
	idTable

	fd      int // of the file that was read; -1 when there is none
	at      stamp
	settled bool   // at tells every change
	checked uint64 // when the path was last looked up, on CLOCK_BOOTTIME
}

func newNameFile(host *Host, path string) nameFile { return nameFile{host: host, path: path, fd: -1} }

// refresh reads the file again if it is not the one that was read, or has changed.
// The open file tells that it was changed, or removed in favour of another; only
// a mount over it needs a look at the path.
func (f *nameFile) refresh(now uint64) {
	due := now-f.checked >= recheck || f.checked == 0
	if f.fd >= 0 {
		at, err := stampOf(f.fd)
		switch {
		case err != nil || at != f.at:
		case !f.settled && now-f.checked >= tick:
		case !due:
			return
		case f.settled && f.host.stamp(f.path) == f.at:
			f.checked = now
			return
		}
	} else if !due {
		return
	}
	f.checked = now
	f.load()
}

// load reads the file. One that cannot be read has no names.
func (f *nameFile) load() {
	f.forget()
	began := wall()
	fd, at, err := f.host.open(f.path)
	if err != nil {
		return
	}
	text, err := readAll(fd, at.size, maxNames)
	if err != nil {
		unix.Close(fd)
		return
	}
	f.fd, f.at, f.settled = fd, at, at.settled(began)
	f.idTable = parseNames(text)
}

func (f *nameFile) forget() {
	if f.fd >= 0 {
		unix.Close(f.fd)
	}
	f.fd, f.idTable = -1, idTable{}
}

// idTable finds names by ids.
type idTable struct {
	names []byte  // one behind the other
	rows  []idRow // by id
}

// idRow is an id and where its name lies.
type idRow struct {
	id, from uint32
	length   uint8
}

// parseNames reads lines NAME:PASSWORD:ID:…, as passwd(5) and group(5) have them.
// A line that is not like that counts for nothing, and of several with one id the
// first counts, as for getpwuid(3).
func parseNames(text []byte) (t idTable) {
	for len(text) > 0 {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte{'\n'})
		if name, id, ok := parseName(line); ok {
			t.rows = append(t.rows, idRow{id, uint32(len(t.names)), uint8(len(name))})
			t.names = append(t.names, name...)
		}
	}
	slices.SortStableFunc(t.rows, func(a, b idRow) int { return cmp.Compare(a.id, b.id) })
	return t
}

func parseName(line []byte) (name []byte, id uint32, ok bool) {
	name, rest, _ := bytes.Cut(line, []byte{':'})
	_, rest, ok = bytes.Cut(rest, []byte{':'})
	number, _, more := bytes.Cut(rest, []byte{':'})
	if !ok || !more || len(name) == 0 || len(name) > longestName {
		return nil, 0, false
	}
	if bytes.IndexByte([]byte("+-#"), name[0]) >= 0 || bytes.ContainsFunc(name, isControl) {
		return nil, 0, false // of NIS, a comment
	}
	v, ok := parseUint(number)
	return name, uint32(v), ok && v < 1<<32-1 // the last one stands for no id
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// find returns the name of id, or nil.
func (t *idTable) find(id event.Uint) []byte {
	if !id.Known || id.V >= 1<<32-1 {
		return nil
	}
	i, ok := slices.BinarySearchFunc(t.rows, uint32(id.V), func(row idRow, id uint32) int { return cmp.Compare(row.id, id) })
	if !ok {
		return nil
	}
	from, length := t.rows[i].from, uint32(t.rows[i].length)
	return t.names[from : from+length : from+length]
}
