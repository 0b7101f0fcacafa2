// SPDX-License-Identifier: Apache-2.0

package source

import (
	"cmp"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/mount"
	"github.com/falco-fim/fim/watch"
)

// remounts makes events of what came and went in the host's mount table: a mount
// on a watched path, or above one that a pattern names, hides files, and its end
// shows them again.
//
// The table is the authority. It has what other namespaces propagate to the host, what
// the kernel detaches by itself, and nothing that failed; but what comes and goes
// between two looks is not told.
type remounts struct {
	set  *watch.Set
	ops  []event.Op
	root string // of the host, as this process and those of its mount namespace see it

	remounters
	last  *mount.Table
	roots map[int]identity // of mounts that are told of when they go, by ID
	queue []*remount

	// pending says whether the backend has more to read. It is nil unless that
	// tells who attaches and detaches mounts, in the order of its events: by is then
	// called before the one that comes after.
	pending func() bool
	// until is when the table was last known to be as it is, on CLOCK_BOOTTIME; nil: that is
	// not known. sure is what it was at the last look.
	until func() uint64
	sure  uint64
	// attached is when a mount of a number was last about to be attached, which tells which
	// of those of that number the table has; nil or zero: that is not known.
	attached func(id int) uint64
}

// remount is an event that waits for its turn, and for what the backend may know of it.
type remount struct {
	*event.Event
	seen uint64 // when the table had it, on CLOCK_BOOTTIME in nanoseconds; 0: it does not wait
	// after is when what goes had come, or what comes was not there: who did something to a
	// mount of that number before did it to another, since numbers are used again. by is when
	// the table was read that shows it.
	after, by uint64
	// attached is when what comes was about to be attached; 0: that is not known.
	attached uint64
}

func (m *remount) change() change { return change{m.Op, int(m.File.MountID.V)} }

// attaching is how long a mount may take to be in the table after it was told who makes it.
const attaching = time.Second

// identity is the file that a mount shows at its mountpoint.
type identity struct {
	row        mount.Mount
	inode, dev uint64 // as stat(2) shows them; 0 when not known
	kind       event.Type
	came       uint64 // on CLOCK_BOOTTIME, as far as known
	attached   uint64 // when it was about to come; 0: that is not known
}

func newRemounts(s setup) *remounts {
	root := s.root
	if root != "/" {
		root = filepath.Join(s.root, "proc/1/root") // mounts are numbered per namespace
	}
	return &remounts{set: s.set, ops: s.ops, root: root, roots: map[int]identity{}, remounters: newRemounters()}
}

// wanted says whether any of this is asked for.
func (r *remounts) wanted() bool {
	return slices.Contains(r.ops, event.OpMount) || slices.Contains(r.ops, event.OpUmount)
}

// next fills e with the next event of a mount, else with the one of the backend, which
// may have read a newer table meanwhile: what was mounted is told before what was
// done there. The table that paths are told by comes from now.
func (r *remounts) next(e *event.Event, deadline time.Time, now func() *mount.Table, backend func(*event.Event, time.Time) error) error {
	for {
		r.look(now())
		if r.pop(e, 0) {
			return nil
		}
		err := backend(e, deadline)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		r.look(now())
		passed := uint64(math.MaxUint64) // all from before the table was read
		if err == nil && (r.pending == nil || r.pending()) {
			passed = e.Boot
		}
		if !r.ready(passed) && !r.holds() {
			return err
		}
		if err == nil {
			r.queue = append(r.queue, &remount{Event: e.Clone()})
		}
		if r.pop(e, passed) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// maxHeld is how many events may wait; with more of them what is not known of the first is
// not waited for.
const maxHeld = 4096

// holds says whether what the backend tells next is to be told after something that waits:
// an event of its own, or a mount of which it told before who did it.
func (r *remounts) holds() bool {
	return slices.ContainsFunc(r.queue, func(m *remount) bool { return m.seen == 0 || r.actor(m) >= 0 })
}

// ready says whether the first in the queue may be told: when it is known who did it,
// or the backend has told all from before the table showed it and nobody is known to try.
func (r *remounts) ready(passed uint64) bool {
	if len(r.queue) == 0 {
		return false
	}
	first := r.queue[0]
	return r.actor(first) >= 0 || first.seen <= passed && !r.tried(first) || len(r.queue) > maxHeld
}

func (r *remounts) pop(e *event.Event, passed uint64) bool {
	if !r.ready(passed) {
		return false
	}
	first := r.queue[0]
	r.queue = r.queue[1:]
	*e = *first.Event
	one, known := r.take(first)
	if !known {
		return true
	}
	e.Boot, e.Proc = one.at, one.proc
	if mount, ok := r.roots[first.change().id]; ok && first.Op == event.OpMount {
		mount.came = one.at
		r.roots[first.change().id] = mount
	}
	return true
}

// look compares a table with the one before. Of the first table nothing is told.
func (r *remounts) look(t *mount.Table) {
	if r.until != nil {
		defer func(until uint64) { r.sure = until }(r.until())
	}
	if r.looks++; t == r.last || !r.wanted() {
		return
	}
	before := r.last
	r.last = t
	rows := map[int]mount.Mount{}
	for _, m := range t.Mounts() {
		rows[m.ID] = m
	}
	if before != nil {
		r.gone(before, rows)
	}
	for _, m := range t.Mounts() {
		if _, known := r.roots[m.ID]; known || r.watches(m.Point) == nil {
			continue
		}
		one := r.identify(m)
		one.came = r.read()
		if r.attached != nil {
			one.attached = r.attached(m.ID)
		}
		if one.attached > one.came {
			one.attached = 0 // of a later mount of that number
		}
		one.came = cmp.Or(one.attached, one.came)
		r.roots[m.ID] = one
		if before != nil {
			r.tell(event.OpMount, one)
		}
	}
	r.forget(rows, r.queue)
}

// read is when the table was last known to be as it is.
func (r *remounts) read() uint64 {
	if r.until == nil {
		return bootNow()
	}
	return r.until()
}

// gone tells of what is in the table no more, the last mounted first.
func (r *remounts) gone(before *mount.Table, rows map[int]mount.Mount) {
	for _, m := range slices.Backward(before.Mounts()) {
		known, told := r.roots[m.ID]
		if !told || r.stays(known, rows[m.ID]) {
			continue
		}
		delete(r.roots, m.ID)
		r.tell(event.OpUmount, known)
	}
}

// stays says whether a row is still the same mount at the same place: numbers are used
// again, and a mount can be moved. What it shows may have been renamed.
func (r *remounts) stays(known identity, now mount.Mount) bool {
	was := known.row
	if was.ID != now.ID || was.Point != now.Point || was.Dev != now.Dev || was.FSType != now.FSType {
		return false
	}
	if was.Root == now.Root {
		return true
	}
	one := r.identify(now)
	if known.inode == 0 || one.inode != known.inode || one.dev != known.dev {
		return false
	}
	known.row = now
	r.roots[now.ID] = known
	return true
}

// watches returns the pattern that a mountpoint belongs to, or that something below it
// is named by; nil when there is none. A pattern that could match anywhere names no
// more than its beginning without wildcards.
func (r *remounts) watches(point string) []byte {
	if name, ok := r.set.Match([]byte(point)); ok {
		return name
	}
	below := func(prefix string) bool {
		return prefix == point || point != "/" && strings.HasPrefix(prefix, point+"/")
	}
	if !slices.ContainsFunc(r.set.Prefixes(), below) {
		return nil
	}
	name, _ := r.set.Leads([]byte(point))
	return name
}

// identify asks what the mount shows, if it is still the one at its mountpoint. A
// filesystem that waits for a server or a program is not asked: that may hang.
func (r *remounts) identify(m mount.Mount) identity {
	one := identity{row: m}
	if waits(m.FSType) {
		return one
	}
	var st unix.Statx_t
	const flags = unix.AT_SYMLINK_NOFOLLOW | unix.AT_NO_AUTOMOUNT | unix.AT_STATX_DONT_SYNC
	err := unix.Statx(unix.AT_FDCWD, filepath.Join(r.root, m.Point), flags, unix.STATX_BASIC_STATS|unix.STATX_MNT_ID, &st)
	if err != nil || st.Mask&unix.STATX_MNT_ID == 0 || st.Mnt_id != uint64(m.ID) {
		return one
	}
	one.inode, one.dev, one.kind = st.Ino, unix.Mkdev(st.Dev_major, st.Dev_minor), event.TypeOf(uint32(st.Mode))
	return one
}

// waits says whether a filesystem of this type answers stat(2) by asking somebody
// else.
func waits(fstype string) bool {
	return slices.ContainsFunc([]string{"fuse", "nfs", "cifs", "smb", "9p", "ceph", "afs", "autofs", "glusterfs", "lustre", "virtiofs"},
		func(kind string) bool { return strings.HasPrefix(fstype, kind) })
}

func (r *remounts) tell(op event.Op, one identity) {
	if !slices.Contains(r.ops, op) {
		return
	}
	m := one.row
	next := &remount{Event: &event.Event{Op: op, Res: event.SuccessBytes, Watch: r.watches(m.Point), File: event.File{
		HostPath: []byte(m.Point), Mountpoint: []byte(m.Point), FSType: []byte(m.FSType), MountID: event.Known(uint64(m.ID)),
		Inode: one.inode, Dev: one.dev, Type: one.kind,
	}}}
	if r.pending != nil {
		next.seen = bootNow()
	}
	next.after, next.by, next.attached = max(r.sure, uint64(attaching))-uint64(attaching), r.read(), one.attached
	if op == event.OpUmount {
		next.after = one.came
	}
	r.queue = append(r.queue, next)
}
