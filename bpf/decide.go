// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/strays"
)

// paths are the buffers that an event's names live in until the next one.
type paths struct {
	buf       []byte
	places    []Place
	undecided atomic.Uint64 // records that neither side could decide: lost
	unlike    atomic.Uint64 // records that the kernel passed and no pattern matches
	nowhere   atomic.Uint64 // records of files that no host mount shows
}

// decide turns a record into an event if it is one of ours.
func (b *Backend) decide(r *raw, e *event.Event) bool {
	*e = event.Event{Op: event.Op(r.Op), Boot: r.Time}
	switch {
	case r.Error != 0:
		e.Failed, e.Res = true, errnoName(r.Error)
	case !r.has(trampolinesFlagFLAG_ATTEMPT):
		e.Res = event.SuccessBytes
	}
	b.paths.buf = b.paths.buf[:0]
	ours := b.match(r, e)
	b.gone(r)
	if !ours || e.Op == event.OpModify && b.retellings.told(r) {
		return false
	}
	e.Truncated = r.has(trampolinesFlagFLAG_CUT)
	r.file(e)
	b.facts.operation(r, e)
	b.view(r, e)
	b.actor(r, &e.Proc)
	return true
}

// alias decides whether the file is watched by another name than the one that was
// used, or was moved out of where it is watched. What was done to the file has its
// watched name; what was done to a name has that.
func (b *Backend) alias(r *raw, e *event.Event) bool {
	var by Alias
	ok := false
	if b.o.Alias != nil {
		by, ok = b.o.Alias(Numbers{r.dev(), r.statDev(), r.Ino}, e.File.HostPath)
	}
	if !ok && b.followed(r, e) {
		return true
	}
	if !ok {
		b.paths.unlike.Add(1)
		return false
	}
	e.Watch, e.Reason = by.Pattern, by.Reason
	if slices.Contains(naming, e.Op) {
		return true
	}
	if by.Mount != 0 && by.Mount == int(r.MountId) {
		e.Reason = nil // it was used there; of what has lost its name elsewhere no path tells that
	} else {
		e.File.AliasPath = e.File.HostPath
	}
	e.File.HostPath, e.File.Mountpoint, e.File.FSType = b.paths.keep(by.Host), by.Mountpoint, by.FSType
	return true
}

// learn passes on what an event tells of names, and says whether it is wanted.
func (b *Backend) learn(r *raw, e *event.Event) bool {
	if b.o.Learn != nil && !e.Failed && r.Ino != 0 && (r.Now.Nlink > 1 || slices.Contains(naming, e.Op)) {
		b.o.Learn(r.dev(), e)
	}
	return b.asked>>e.Op&1 != 0 || e.Failed && !upkeep(e.Op)
}

func (b *Backend) actor(r *raw, p *event.Process) {
	r.process(p)
	told := b.processes.fill(r.Actor.Mark, p)
	if b.o.Who != nil {
		b.o.Who(int(r.Actor.Tgid), r.Actor.Start, told)
	}
}

// Remounting is who is about to attach or detach a mount, before the host's mount table
// shows it. Whether an attachment came about is not known. What a thread was about to
// detach has an outcome, by which time the table shows it: Mount is 0 then and of Proc
// only Tid is known, which is that of the thread's last record with a Mount.
type Remounting struct {
	Op     event.Op
	Mount  int    // its number in the host's mount table
	At     uint64 // on CLOCK_BOOTTIME
	Failed bool
	Proc   *event.Process // whose memory is used again
}

// remounting passes on who attaches or detaches a mount, which is no event yet.
func (b *Backend) remounting(r *raw) bool {
	op := event.Op(r.Op)
	if op != event.OpMount && op != event.OpUmount {
		return false
	}
	if b.o.Remounting == nil {
		return true
	}
	p := event.Process{Tid: uint64(r.Actor.Tid)}
	if r.MountId != 0 {
		b.actor(r, &p)
	}
	b.o.Remounting(Remounting{Op: op, Mount: int(r.MountId), At: r.Time, Failed: r.Error != 0, Proc: &p})
	return true
}

// errnoNames are the names of error numbers, made once.
var errnoNames = func() (names [134][]byte) {
	for n := range names {
		names[n] = []byte(unix.ErrnoName(syscall.Errno(n)))
	}
	return names
}()

// errnoName is empty for a number that has none: the outcome is then known to be
// a failure and no more.
func errnoName(n uint16) []byte {
	if int(n) < len(errnoNames) {
		return errnoNames[n]
	}
	return nil
}

// match finds the host paths and decides by them. A file without a host path
// passes if the kernel side was sure that its directory is watched: its inode
// is evidence, its path is not known.
func (b *Backend) match(r *raw, e *event.Event) bool {
	p := &b.paths
	if r.has(trampolinesFlagFLAG_UNSTABLE) && r.has(trampolinesFlagFLAG_UNKNOWN) {
		p.undecided.Add(1) // neither side could tell, and a guess is no evidence
		return false
	}
	if !r.placeable() {
		return !r.has(trampolinesFlagFLAG_ALIAS) || b.alias(r, e)
	}
	side := b.side(r, r.path, &r.Path, e)
	e.File.HostPath = side.host
	how, seen := side.how, side.seen
	if len(r.old) > 0 {
		var old event.Event
		from := b.side(r, r.old, &r.Old, &old)
		e.Old.HostPath = from.host
		if from.how > how {
			e.Watch, e.Reason = old.Watch, old.Reason
		}
		how, seen = max(how, from.how), seen || from.seen
		defer b.moved(r, from, side)
	}
	if how == notOurs && (r.has(trampolinesFlagFLAG_ALIAS) || seen && (r.otherwiseNamed() || r.follows())) {
		return b.alias(r, e) // also where the kernel side took this name for a watched one
	}
	if how == notOurs && seen {
		p.unlike.Add(1)
		return false
	}
	if how == notOurs && r.has(trampolinesFlagFLAG_UNKNOWN) {
		p.nowhere.Add(1)
		return false
	}
	return true
}

// concern is what patterns have to do with a path.
type concern uint8

const (
	notOurs concern = iota
	leading         // a directory that comes or goes with what is in it, of which something may be watched
	covered         // a pattern names it
)

// sighting is one name of a record, placed on the host.
type sighting struct {
	host []byte
	how  concern
	seen bool // there is such a place
	// by is what patterns look at: mostly host.
	by strays.Side
}

// side places one name on the host: at the path that a pattern names if there is
// one, else at the first.
func (b *Backend) side(r *raw, names []byte, at *trampolinesNames, e *event.Event) (s sighting) {
	inFS := b.place(r, names, e, &s)
	if how := b.inside(r, inFS, e, s.how); how != s.how {
		s.how, s.by.Path = how, inFS
	}
	if s.how == notOurs {
		b.beneath(r, names, at, e, &s)
	}
	return s
}

// place does so by the paths on the host alone, and returns that inside the filesystem.
func (b *Backend) place(r *raw, names []byte, e *event.Event, s *sighting) (inFS []byte) {
	p := &b.paths
	start := len(p.buf)
	p.buf = rooted(appendPath(p.buf, names), start)
	inFS = p.buf[start:]
	p.places = b.o.Place(p.places[:0], r.Time, r.dev(), inFS, r.movesTree())
	s.seen = len(p.places) > 0
	if slices.Contains(naming, event.Op(r.Op)) && slices.ContainsFunc(p.places, Place.isMountpoint) {
		b.unbind(r, inFS)
	}
	s.host, s.how = b.choose(r, e)
	if s.how < covered && r.layered() {
		b.below(r, names, e, s)
	}
	if s.how != notOurs {
		s.by.Path = s.host
	}
	return inFS
}

// unbind leaves out the places at which the file is mounted by itself: there it keeps its name,
// unless its directory is seen there too and the name is that of the file mounted over itself.
func (b *Backend) unbind(r *raw, inFS []byte) {
	p := &b.paths
	leaf := bytes.LastIndexByte(inFS, '/')
	names := map[string]bool{}
	for _, above := range b.o.Place(nil, r.Time, r.dev(), inFS[:max(1, leaf)], false) {
		names[strings.TrimSuffix(string(above.Host), "/")+string(inFS[leaf:])] = true
	}
	p.places = b.o.Place(p.places[:0], r.Time, r.dev(), inFS, r.movesTree()) // the last call has taken their memory
	p.places = slices.DeleteFunc(p.places, func(q Place) bool { return q.isMountpoint() && !names[string(q.Host)] })
}

// isMountpoint says whether the place is where something is mounted.
func (p Place) isMountpoint() bool { return bytes.Equal(p.Host, p.Mountpoint) }

// choose is the place that a pattern names if there is one, else the first.
func (b *Backend) choose(r *raw, e *event.Event) (host []byte, how concern) {
	p := &b.paths
	if len(p.places) == 0 {
		return nil, notOurs
	}
	best := &p.places[0]
	for i := range p.places {
		name, concerns := b.concern(r, p.places[i].Host)
		if concerns > how {
			best, how, e.Watch = &p.places[i], concerns, name
		}
		if how == covered {
			break
		}
	}
	e.File.Mountpoint, e.File.FSType = best.Mountpoint, best.FSType
	return p.keep(best.Host), how
}

// below places the file of the layer that an overlay shows under these names: that
// counts where a pattern names it, or nothing on the host shows the overlay.
func (b *Backend) below(r *raw, names []byte, e *event.Event, s *sighting) {
	p := &b.paths
	start := len(p.buf)
	p.buf = appendPath(p.buf, r.layer)
	if !r.has(trampolinesFlagFLAG_BENEATH) {
		p.buf = appendPath(p.buf, names)
	}
	p.buf = rooted(p.buf, start)
	p.places = b.o.Place(p.places[:0], r.Time, encoded(r.LayerDev), p.buf[start:], r.movesTree())
	var there event.Event
	path, concerns := b.choose(r, &there)
	if len(p.places) == 0 || s.seen && concerns <= s.how || concerns == notOurs && b.shown(r, names) {
		return
	}
	e.File.Mountpoint, e.File.FSType = there.File.Mountpoint, overlayName
	if concerns > s.how {
		e.Watch = there.Watch
	}
	s.host, s.how, s.seen = path, max(s.how, concerns), true
}

// shown says whether the host has a path of it now: then it was only not known which one held.
func (b *Backend) shown(r *raw, names []byte) bool {
	return len(b.o.Place(nil, math.MaxUint64, r.dev(), rooted(appendPath(nil, names), 0), false)) > 0
}

// overlayName is how mount tables call overlayfs.
var overlayName = []byte("overlay")

// inside is what patterns have to do with a path inside a container's filesystem, if
// that is more than they have to do with the path on the host.
func (b *Backend) inside(r *raw, path []byte, e *event.Event, onHost concern) concern {
	if !b.o.Containers || r.Magic != overlayMagic {
		return onHost
	}
	name, how := b.concern(r, path)
	if how <= onHost {
		return onHost
	}
	e.Watch, e.Reason = name, event.InContainer
	return how
}

func (b *Backend) concern(r *raw, host []byte) (name []byte, how concern) {
	if name, ok := b.o.Set.Match(host); ok {
		return name, covered
	}
	if r.tree() {
		if name, ok := b.o.Set.Leads(host); ok {
			return name, leading
		}
	}
	return nil, notOurs
}

// keep copies b behind what the buffer holds. A buffer that grows leaves older
// slices valid: they keep the old one.
func (p *paths) keep(b []byte) []byte {
	start := len(p.buf)
	p.buf = append(p.buf, b...)
	return p.buf[start:len(p.buf):len(p.buf)]
}

// view sets the paths as the process saw them: its mountpoint, then the names
// inside the mount.
func (b *Backend) view(r *raw, e *event.Event) {
	if !r.has(trampolinesFlagFLAG_VIEW) || r.has(trampolinesFlagFLAG_UNSTABLE) || r.has(trampolinesFlagFLAG_CUT) {
		return
	}
	e.File.ViewPath = b.seenAs(r.view, leaf(r.path, r.Path.InMount))
	if len(r.old) > 0 {
		e.Old.ViewPath = b.seenAs(r.view, leaf(r.old, r.Old.InMount))
	}
}

func (b *Backend) seenAs(mountpoint, inMount []byte) []byte {
	p := &b.paths
	start := len(p.buf)
	p.buf = rooted(appendPath(appendPath(p.buf, mountpoint), inMount), start)
	return p.buf[start:len(p.buf):len(p.buf)]
}
