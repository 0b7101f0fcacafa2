// SPDX-License-Identifier: Apache-2.0

package source

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/bpf"
	"github.com/falco-fim/fim/mount"
	"github.com/falco-fim/fim/watch"
)

// mounts is the host's mount table, kept up to date. An event is read a little
// after it happened, and the table may have changed between the two, so the one
// before is kept as well.
type mounts struct {
	name string
	set  *watch.Set
	fd   int // polled: the kernel marks an open mountinfo when the table changes
	// moves is what the kernel side knows of moved mounts, refresh has it look at the
	// mounts, and mounted hands it a new table; they do nothing until it is up.
	moves   func() bpf.Moves
	refresh func()
	mounted func()
	count   uint64 // of moves that the table has

	now, before tableAt
}

// tableAt is a mount table and the time for which it is known to have been
// current, on CLOCK_BOOTTIME in nanoseconds.
type tableAt struct {
	*mount.Table
	since, until uint64
	// attached is from when on what it shows was there, though more may have been.
	attached uint64

	found []mount.Path
	shown map[*mount.Mount]bpf.Place // the texts of each mount, made once
}

func openMounts(root string, set *watch.Set) (*mounts, error) {
	m := &mounts{name: "/proc/self/mountinfo", set: set, moves: func() bpf.Moves { return bpf.Moves{} }, refresh: func() {}, mounted: func() {}}
	if root != "/" {
		m.name = filepath.Join(root, "proc/1/mountinfo")
	}
	var err error
	if m.fd, err = unix.Open(m.name, unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		return nil, fmt.Errorf("open mount table %s: %w", m.name, err)
	}
	since := bootNow()
	table, err := mount.Read(m.name)
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	m.now = newTableAt(table, since)
	return m, nil
}

func newTableAt(table *mount.Table, since uint64) tableAt {
	return tableAt{Table: table, since: since, until: since, attached: since, shown: make(map[*mount.Mount]bpf.Place)}
}

func (m *mounts) close() error { return unix.Close(m.fd) }

// changed says whether the table is marked as changed, which takes the mark away.
func (m *mounts) changed() bool {
	fds := []unix.PollFd{{Fd: int32(m.fd), Events: unix.POLLPRI}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0
}

// check reads the table again if it changed.
func (m *mounts) check() {
	now := bootNow()
	changed, moves := m.changed(), m.moves()
	switch {
	case changed || moves.Count != m.count:
		m.read(changed)
	case !moves.Now:
		m.now.until = now
	}
}

// patience is how often a table is read that keeps changing meanwhile; its next
// change is noticed all the same.
const patience = 5

// read takes the table as it is now. An unreadable one leaves the old one, to be
// tried again at the next change.
//
// If nothing was mounted or moved while the kernel side looked at the mounts and
// the table was read, its places are true since the last time that something was:
// what was unmounted in between took only others away. Where moves are all that
// happened, nothing was.
func (m *mounts) read(changed bool) {
	for range patience {
		m.refresh()
		moves := m.moves()
		since := bootNow()
		table, err := mount.Read(m.name)
		if err != nil {
			return
		}
		more := m.changed()
		changed = changed || more
		settled := !more && m.moves() == moves && !moves.Now
		if !settled {
			continue
		}
		next := newTableAt(table, since)
		next.attached = max(moves.Attached, moves.Last)
		if !changed {
			next.since = moves.Last
		}
		m.replace(next, moves.Count)
		return
	}
	since := bootNow()
	if table, err := mount.Read(m.name); err == nil {
		m.replace(newTableAt(table, since), m.count)
	}
}

func (m *mounts) replace(next tableAt, count uint64) {
	m.before = m.now
	m.before.until = min(m.before.until, next.since)
	m.now, m.count = next, count
	m.mounted()
}

// kernel returns the mounts as the kernel side wants them.
func (m *mounts) kernel() []bpf.Mount {
	var list []bpf.Mount
	for _, row := range m.now.Mounts() {
		list = append(list, bpf.Mount{Dev: row.Dev, Root: row.Root, Point: row.Point, FSType: row.FSType})
	}
	return list
}

// place appends the host paths that a file had at the moment at. The table is looked
// at unless it was after that moment: the mount that made the event possible may be
// younger than the last look. Of an event from between the two tables' times it is not
// known which held, unless what came had come by then. Where paths only came, the kernel side is the witness: it sends
// what those make watched. Where one went, only those count that both tables have,
// and if none of them is watched, the one that made the event ours is not known. A
// directory that moves is ours by what it leads to as well.
func (m *mounts) place(dst []bpf.Place, at, dev uint64, inFS []byte, moves bool) []bpf.Place {
	if at > m.now.until {
		m.check()
	}
	start := len(dst)
	dst = m.now.place(dst, dev, inFS)
	if at >= m.now.since || m.before.Table == nil {
		return dst
	}
	old := m.before.place(nil, dev, inFS)
	if m.before.since <= at && at <= m.before.until {
		return append(dst[:start], old...)
	}
	if at >= m.now.attached && slices.ContainsFunc(dst[start:], m.watched) {
		return dst
	}
	went := func(p bpf.Place) bool { return !hasPlace(dst[start:], p) }
	if !slices.ContainsFunc(old, went) {
		return dst
	}
	both := slices.DeleteFunc(dst[start:], func(p bpf.Place) bool { return !hasPlace(old, p) })
	leads := func(p bpf.Place) bool { return moves && m.set.Reaches(p.Host) }
	if !slices.ContainsFunc(both, m.watched) && !slices.ContainsFunc(both, leads) {
		return dst[:start]
	}
	return dst[:start+len(both)]
}

// watched says whether a pattern names the place.
func (m *mounts) watched(p bpf.Place) bool {
	_, ok := m.set.Match(p.Host)
	return ok
}

func hasPlace(list []bpf.Place, p bpf.Place) bool {
	return slices.ContainsFunc(list, func(q bpf.Place) bool {
		return bytes.Equal(p.Host, q.Host) && bytes.Equal(p.Mountpoint, q.Mountpoint) && bytes.Equal(p.FSType, q.FSType)
	})
}

// place appends the paths that the table has for a file; they are valid until
// the next call.
func (t *tableAt) place(dst []bpf.Place, dev uint64, inFS []byte) []bpf.Place {
	t.found = t.HostPaths(t.found[:0], dev, inFS)
	for _, f := range t.found {
		p := t.text(f.Mount)
		p.Host = f.Host
		dst = append(dst, p)
	}
	return dst
}

func (t *tableAt) text(row *mount.Mount) bpf.Place {
	p, ok := t.shown[row]
	if !ok {
		p = bpf.Place{Mountpoint: []byte(row.Point), FSType: []byte(row.FSType)}
		t.shown[row] = p
	}
	return p
}

// bootNow returns CLOCK_BOOTTIME in nanoseconds.
func bootNow() uint64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) // cannot fail for a clock that exists
	return uint64(t.Nano())
}
