// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/cilium/ebpf/btf"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/strays"
	"github.com/falco-fim/fim/watch"
)

// Place is one host path by which a file is visible.
type Place struct {
	Host, Mountpoint, FSType []byte
}

// Options is what [Open] needs.
type Options struct {
	Set *watch.Set
	Ops []event.Op // operations wanted
	// Failed asks for attempts that were refused, too.
	Failed bool
	// Containers has the patterns hold inside each overlay filesystem too, as if its
	// root directory were the host's: containers have theirs there.
	Containers bool
	// HostRoot is where the host's root is mounted, "/" if it is not elsewhere.
	HostRoot string
	// RingKiB is the size of the ring buffer, rounded up to a power of two;
	// zero is DefaultRingKiB.
	RingKiB int
	// Mounts are the host's, in table order.
	Mounts []Mount
	// Place appends to dst every host path by which (device as st_dev, path
	// inside the filesystem) is visible. The paths are valid until the next call.
	// at is when it was used, on CLOCK_BOOTTIME in nanoseconds: a path that was
	// not true then must not be among them. moves says that it is a directory which was
	// renamed, and takes what may be watched along.
	Place func(dst []Place, at, dev uint64, inFS []byte, moves bool) []Place
	// Who is told, with each event, which process acts. started is its start in
	// nanoseconds since boot, which tells whether a process of that pid is the same
	// one; told says that the kernel side told all there is to know. Nil: nobody asks.
	Who func(pid int, started uint64, told bool)
	// Introduce completes what the kernel side told of a process, once. Nil: nothing
	// is added.
	Introduce func(Introduction)
	// Remounting is told who attaches or detaches a mount. Nil: nobody asks.
	Remounting func(Remounting)
	// Learn is told each event that succeeded, of a watched file or directory, also
	// of operations that are not wanted: what is done to names tells which files have
	// several. dev is the device as Place has it. Nil: nobody learns.
	Learn func(dev uint64, e *event.Event)
	// Alias returns by what a file is watched that was used by a name which is not; ok is
	// false if by nothing. Nil: it never is.
	Alias func(file Numbers, used []byte) (by Alias, ok bool)
	// Follow is empty, and takes in what is moved out of the watched places, which goes on
	// being told of. Nil: it does not.
	Follow *strays.Table
	// Stat returns what stat(2) shows of a path on the host now, which is no symbolic
	// link; zeros where it shows nothing. It is needed with Follow.
	Stat func(path []byte) (dev, inode uint64)

	flavours traits // for tests: instead of the kernel's own
	force    bool
	unseen   string // for tests: a program that is not attached
}

// naming are the operations on names, which are seen whatever is wanted: they tell
// which files have several.
var naming = []event.Op{event.OpRename, event.OpLink, event.OpUnlink}

// upkeep says whether an operation may be seen for what it tells of names alone.
func upkeep(op event.Op) bool { return slices.Contains(naming, op) || op == event.OpRmdir }

// seen are the operations that the programs send.
func (o *Options) seen() []event.Op {
	var more []event.Op
	if o.Learn != nil || o.Follow != nil {
		more = append(more, naming...)
	}
	if o.Follow != nil {
		more = append(more, event.OpRmdir) // a directory may be followed no longer
	}
	all := slices.Clone(o.Ops)
	for _, op := range more {
		if !slices.Contains(all, op) {
			all = append(all, op)
		}
	}
	return all
}

// DefaultRingKiB is the size of the ring buffer if none is configured.
const DefaultRingKiB = 4096

// Backend delivers the events of the programs.
type Backend struct {
	o       Options
	asked   uint64 // operations wanted, bit by number
	hooks   []*planned
	objects *objects
	links   attachments
	seeder  *seeder
	ring    ring
	losses  losses
	paths   paths
	facts   facts

	retellings retellings

	processes processes

	mu     sync.Mutex // guards what Stats and Close may touch at once
	closed bool
	last   []Counter
}

// Open loads and attaches the programs. Where the kernel refuses, the error
// names the program, the errno and what to do.
func Open(o Options) (*Backend, error) {
	// Much is allocated here and little kept: to collect it in between takes as
	// long as the rest.
	defer debug.SetGCPercent(debug.SetGCPercent(800))
	types, kernel, err := kernelTypes()
	if err != nil {
		return nil, err
	}
	t := o.flavours
	if !o.force {
		t = readTraits()
	}
	all, err := plan(kernel, t, o.seen(), o.Failed, hooks)
	if err != nil {
		return nil, fmt.Errorf("%w: this kernel lacks what fim attaches to: %w; backend fanotify works without it", ErrRefused, err)
	}
	symbols, err := kernelSymbols(locks)
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		p.waiting = p.waits != nil && p.Why == "" && !p.uses(&o, o.Mounts)
	}
	b := &Backend{o: o, hooks: all, processes: processes{complete: o.Introduce}}
	for _, op := range o.Ops {
		b.asked |= 1 << op
	}
	if err := b.start(types, symbols, constantsFor(o, t, all, symbols.parted)); err != nil {
		return nil, errors.Join(err, b.release())
	}
	return b, nil
}

// start brings the kernel side up, in the order in which nothing is missed:
// tables, programs, seeds. Only then are events true.
func (b *Backend) start(types *btf.Cache, symbols *symbolTable, c constants) error {
	dfa, err := b.o.Set.DFA(watch.FirstNumber)
	if err != nil {
		return err
	}
	if b.o.RingKiB == 0 {
		b.o.RingKiB = DefaultRingKiB
	}
	s, err := sizesFor(dfa, b.o.RingKiB)
	if err != nil {
		return err
	}
	c.start = dfa.Start()
	if b.objects, err = load(types, symbols, b.hooks, s, c); err != nil {
		return err
	}
	if err := ship(b.objects, dfa, dfa.First()); err != nil {
		return err
	}
	for slot := range s.slots {
		if err := b.objects.table("idle").Put(nil, slot); err != nil {
			return fmt.Errorf("fill the pool of scratch memory: %w", err)
		}
	}
	if err := b.objects.table("turn").Put(nil, uint32(0)); err != nil {
		return fmt.Errorf("let surveys of the mounts be made: %w", err)
	}
	var first uint64 // process, whose root directory is the host's
	if b.o.HostRoot != "/" {
		first = 1
	}
	if err := run(b.objects, armOwn, first); err != nil {
		return err
	}
	if b.ring, err = openRing(b.objects); err != nil {
		return err
	}
	if b.links, err = attach(b.objects, b.hooks, b.o.unseen); err != nil {
		return err
	}
	b.seeder = &seeder{
		objects: b.objects, dfa: dfa, containers: b.o.Containers,
		shipped: dfa.First() + uint32(dfa.Len()), pairs: map[trampolinesPair]bool{},
	}
	return b.seeder.refresh()
}

// Refresh takes the host's mounts as they are now. It is to be called after
// every change of the mount table, by the thread that calls Next: the kernel side
// has seen by itself what was mounted, and learns so what was unmounted.
func (b *Backend) Refresh() error { return b.seeder.refresh() }

// Moves is what the kernel side knows of the times at which mounts got to where
// they are, all on CLOCK_BOOTTIME in nanoseconds.
type Moves struct {
	// Count grows with each rename of a directory above a mountpoint, which moves
	// mounts and marks no mount table as changed. Last is when the latest ended;
	// Now says that one is under way.
	Count uint64
	Last  uint64
	Now   bool
	// Attached is a time after which none was mounted, if none was since the last
	// [Backend.Refresh].
	Attached uint64
}

// Moves returns that.
func (b *Backend) Moves() (Moves, error) {
	c, err := b.seeder.control()
	return Moves{uint64(c.Moves) + b.losses.skips, c.Moved, c.Carrying != 0, c.Attached}, err
}

// Attached returns when a mount of this number, as in the host's mount table, was last
// about to be attached where something is watched: [Remounting.At] of that; zero when that
// is not known.
func (b *Backend) Attached(mount int) uint64 { return attached(b.objects, mount) }

// Next fills e with the next event; its slices are valid until the next call.
// It returns [os.ErrDeadlineExceeded] when none came until the deadline and
// [os.ErrClosed] after Close. It is never called concurrently.
func (b *Backend) Next(e *event.Event, deadline time.Time) error {
	for {
		if b.losses.next(b, e) {
			return nil
		}
		if b.losses.err != nil {
			return fmt.Errorf("void the states of directories after a program was skipped: %w", b.losses.err)
		}
		record, err := b.ring.next(deadline)
		if err != nil {
			return err
		}
		if isProcess(record) {
			if err := b.processes.introduce(record); err != nil {
				return fmt.Errorf("read the ring buffer: %w", err)
			}
			continue
		}
		r, err := split(record)
		if err != nil {
			return fmt.Errorf("read the ring buffer: %w", err)
		}
		if b.remounting(&r) {
			continue
		}
		if b.decide(&r, e) && b.learn(&r, e) {
			return nil
		}
	}
}

// Pending says whether there are records to be read, so that Next will not wait.
func (b *Backend) Pending() bool { return b.ring.reader.AvailableBytes() > 0 }

// Numbers say which file it is.
type Numbers struct {
	Dev   uint64 // of the filesystem, as Place has it
	Shown uint64 // the device as stat(2) shows it; 0: not known
	Inode uint64
}

// Alias is a path by which a file is watched that was used by another one.
type Alias struct {
	Place
	Pattern []byte
	Reason  []byte // event.Hardlink or event.Mounted
	Mount   int    // of event.Mounted, the number of the mount
}

// NoteFile tells the kernel side of a file that has several names, or is mounted by itself
// at a path that is watched (bound). fd is open for it, perhaps as O_PATH has it; any
// thread may call.
func (b *Backend) NoteFile(fd int, bound bool) error {
	var with uint64
	if bound {
		with = 1
	}
	return run(b.objects, armInode, uint64(fd), with)
}

// Hooks reports what became of each hook, for `fim check`.
func (b *Backend) Hooks() []Hook {
	b.mu.Lock()
	defer b.mu.Unlock()
	rows := make([]Hook, len(b.hooks))
	for i, p := range b.hooks {
		if rows[i] = p.Hook; p.waiting {
			rows[i].Why = "no filesystem that needs it holds anything watched; it is attached when one is mounted"
		}
	}
	return rows
}

// Close detaches and frees everything. A second call does nothing.
func (b *Backend) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.last, b.closed = b.count(), true
	return b.release()
}

// release undoes start, in reverse.
func (b *Backend) release() error {
	var errs []error
	errs = append(errs, b.links.close())
	errs = append(errs, b.ring.close())
	if b.objects != nil {
		b.objects.close()
	}
	return errors.Join(errs...)
}
