// SPDX-License-Identifier: Apache-2.0

package source

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/falco-fim/fim/bpf"
	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/mount"
	"github.com/falco-fim/fim/process"
	"github.com/falco-fim/fim/watch"
)

// ebpfBackend adds to the kernel side what it does not know: where the host
// mounts the filesystems, and what /proc tells of a process.
type ebpfBackend struct {
	*bpf.Backend
	set      *watch.Set
	mounts   *mounts
	actor    *actor
	remounts *remounts
	links    *hardLinks
}

// actor is the process of the event in hand, as the kernel side names it.
type actor struct {
	processes *process.Reader
	pid       int
	started   uint64 // on CLOCK_BOOTTIME, in nanoseconds
	told      bool   // by the kernel side, of all that there is
}

// openEBPF opens the backend that attaches programs to kernel functions.
func openEBPF(s setup) (Backend, error) {
	m, err := openMounts(s.root, s.set)
	if err != nil {
		return nil, err
	}
	// The kernel's numbers are those of the host's procfs.
	a := &actor{processes: process.New(filepath.Join(s.root, "proc"))}
	r := newRemounts(s)
	l := newHardLinks(s, m)
	b, err := bpf.Open(bpf.Options{
		Set: s.set, Ops: s.ops, Failed: s.failed, Containers: s.inside, HostRoot: s.root, RingKiB: s.ring,
		Mounts: m.kernel(), Place: m.place, Who: a.note, Introduce: a.introduce,
		Learn: l.learn, Alias: l.alias, Follow: newFollow(s), Stat: statOn(s.root),
		Remounting: func(by bpf.Remounting) {
			if by.Mount == 0 {
				r.outcome(by.Proc.Tid, by.Failed)
				return
			}
			a.complete(by.At, by.Proc)
			r.by(by.Op, by.Mount, by.At, by.Proc)
		},
	})
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	m.moves, m.refresh = movesOf(b), func() {
		if err := b.Refresh(); err != nil {
			s.logf("ebpf: the kernel side could not look at the mounts: %v", err)
		}
	}
	m.mounted = func() {
		if err := b.Mounted(m.kernel()); err != nil {
			s.logf("ebpf: %v", err)
		}
		l.bind()
	}
	r.pending, r.attached, r.until = b.Pending, b.Attached, func() uint64 { return m.now.until }
	l.start(b.NoteFile)
	r.look(m.now.Table) // what goes from now on is known
	return &ebpfBackend{b, s.set, m, a, r, l}, nil
}

// movesOf returns what b knows of moved mounts. What cannot be read is taken for
// unmoved; it is memory that both sides see.
func movesOf(b *bpf.Backend) func() bpf.Moves {
	var last bpf.Moves
	return func() bpf.Moves {
		if now, err := b.Moves(); err == nil {
			last = now
		}
		return last
	}
}

// note keeps who it was for the moment when all of the event is known.
func (a *actor) note(pid int, started uint64, told bool) {
	a.pid, a.started, a.told = pid, started, told
}

// introduce adds to what the kernel side told of a process what it cannot tell.
func (a *actor) introduce(in bpf.Introduction) {
	p := in.Process
	p.HostMntNS = a.processes.IsHost(p.MntNS)
	p.Cgroup = process.BetterGroup(p.Cgroup, in.Cgroup1)
	if len(p.AncestorPids) > 0 {
		p.ParentArgv = a.processes.Arguments(int(p.AncestorPids[0]), in.ParentStart)
	}
}

// complete adds when the process started and, where the kernel side did not tell of
// it, what the procfs knows; at is the moment on CLOCK_BOOTTIME.
func (a *actor) complete(at uint64, p *event.Process) {
	if a.pid == 0 {
		return
	}
	p.Start = a.processes.Start(a.started)
	if !a.told {
		a.processes.Complete(a.pid, a.started, at, p)
	}
}

// Next looks at the mounts before it waits. To place an event is to look at them too,
// if it is younger than the last look; so of a burst few have them looked at.
func (b *ebpfBackend) Next(e *event.Event, deadline time.Time) error {
	if !b.Pending() {
		b.mounts.check()
	}
	b.links.check()
	return b.remounts.next(e, deadline, func() *mount.Table { return b.mounts.now.Table }, b.change)
}

// change is the next event of the kernel side.
func (b *ebpfBackend) change(e *event.Event, deadline time.Time) error {
	b.actor.pid = 0
	err := b.Backend.Next(e, deadline)
	if err == nil {
		b.actor.complete(e.Boot, &e.Proc)
	}
	if err == nil && e.Op == event.OpLost {
		b.links.doubt()
	}
	return err
}

// Close ends the kernel side first: it asks for places until then.
func (b *ebpfBackend) Close() error {
	b.links.close()
	return errors.Join(b.Backend.Close(), b.mounts.close())
}

// Watches names the mounts that hold something watched, or may come to.
func (b *ebpfBackend) Watches() []string {
	var list []string
	for _, m := range watched(b.set, b.mounts.now.Table) {
		list = append(list, filesystem(m.Point, m.FSType, m.Dev))
	}
	return list
}

// watched returns the mounts that a pattern leads into, in table order.
func watched(set *watch.Set, t *mount.Table) []*mount.Mount {
	lead := map[*mount.Mount]bool{}
	for _, prefix := range set.Prefixes() {
		m, _ := t.Locate([]byte(prefix))
		lead[m] = true
	}
	var list []*mount.Mount
	mounts := t.Mounts()
	for i := range mounts {
		if m := &mounts[i]; lead[m] || m.Point != "/" && set.Reaches([]byte(m.Point)) {
			list = append(list, m)
		}
	}
	return list
}

// attached tells what became of each hook.
func (b *ebpfBackend) attached() []Hook {
	var list []Hook
	for _, h := range b.Hooks() {
		list = append(list, Hook{hookName(h), programs(h), operationNames(h.Needed), h.Variant, h.Why})
	}
	return list
}

// hookName tells apart the two hooks that some functions have.
func hookName(h bpf.Hook) string {
	if strings.HasPrefix(h.Program, "fexit_") || strings.HasPrefix(h.Program, "kretprobe_") && !strings.Contains(h.Program, " ") {
		return h.Function + " (return)"
	}
	return h.Function
}

// programs is the kind of a hook's programs without the function's name, which
// each bears.
func programs(h bpf.Hook) string {
	kinds := strings.Split(h.Program, " + ")
	for i := range kinds {
		kinds[i] = strings.TrimSuffix(kinds[i], "_"+h.Function)
	}
	slices.Sort(kinds) // kprobe before kretprobe, as they run
	return strings.Join(kinds, " + ")
}

// every stands for all operations.
const every = "every operation"

func operationNames(ops []event.Op) []string {
	if len(ops) == len(event.Ops()) {
		return []string{every}
	}
	var names []string
	for _, op := range ops {
		names = append(names, op.String())
	}
	return names
}

func (b *ebpfBackend) choice() []string { return bpf.Choice() }

// can tells what the kernel side sees on a filesystem.
func (b *ebpfBackend) can(_ *mount.Table, m *mount.Mount) string {
	if bpf.TellsOfWrites(m.FSType) {
		return "sees every change, and when it took effect"
	}
	return "sees every change; of writes, which " + m.FSType + " does not tell of, that they were permitted (fs.res is absent)"
}

// Stats turns the kernel side's counters into those of a stream.
func (b *ebpfBackend) Stats() []Counter {
	var rows []Counter
	for _, c := range b.Backend.Stats() {
		rows = append(rows, Counter(c))
	}
	return rows
}
