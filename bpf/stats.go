// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"time"
	"unsafe"

	"github.com/falco-fim/fim/event"
)

// Counter is one number that the backend counts. It only grows.
type Counter struct {
	Name  string // lower-case letters and underscores
	Help  string
	Value uint64
}

// hookNames are the names of the rows of counters, in the order of enum hook.
var hookNames = [trampolinesHookHOOKS]string{
	"open", "modify", "close", "unlink", "rename", "mkdir", "link", "symlink", "mknod", "stash", "attrib", "mmap", "exec", "mount", "process",
}

// hookColumns are what each row counts.
var hookColumns = []struct {
	name, help string
	of         func(*trampolinesCounters) uint64
}{
	{"seen", "calls seen", func(c *trampolinesCounters) uint64 { return c.Seen }},
	{"emitted", "records sent", func(c *trampolinesCounters) uint64 { return c.Emitted }},
	{"ignored", "calls of this process itself", func(c *trampolinesCounters) uint64 { return c.Ignored }},
	{"failed", "operations that failed; of processes those whose arguments could not be read", func(c *trampolinesCounters) uint64 { return c.Failed }},
	{"slow_walks", "directories whose state had to be climbed for", func(c *trampolinesCounters) uint64 { return c.Slow }},
	{"lost_ring", "records lost because the ring buffer was full", func(c *trampolinesCounters) uint64 { return c.LostRing }},
	{"lost_map", "entries lost because a map was full", func(c *trampolinesCounters) uint64 { return c.LostMap }},
	{"lost_scratch", "records lost for want of scratch memory", func(c *trampolinesCounters) uint64 { return c.LostScratch }},
	{"lost_outcome", "operations whose end was not seen", func(c *trampolinesCounters) uint64 { return c.LostOutcome }},
}

// rows copies what a table holds that Go maps. It makes no call of bpf(2), in
// which a task that is preempted keeps the kernel from running probes.
func rows[T any](o *objects, table string) []T {
	m := o.table(table)
	memory, err := m.Memory()
	if err != nil {
		return nil // only of a map that is closed
	}
	all := make([]T, m.MaxEntries())
	if len(all) == 0 {
		return nil
	}
	b := unsafe.Slice((*byte)(unsafe.Pointer(&all[0])), uintptr(len(all))*unsafe.Sizeof(all[0]))
	if _, err := memory.ReadAt(b, 0); err != nil {
		return nil
	}
	return all
}

// attached returns when a mount of this number was last about to be attached. The kernel
// side may write that meanwhile: so what is read counts when it is read twice.
func attached(o *objects, mount int) uint64 {
	memory, err := o.table("attacheds").Memory()
	if err != nil {
		return 0 // only of a map that is closed
	}
	var one, again trampolinesAttached
	at := int64(mount%int(o.table("attacheds").MaxEntries())) * int64(unsafe.Sizeof(one))
	for _, copied := range []*trampolinesAttached{&one, &again} {
		if _, err := memory.ReadAt(unsafe.Slice((*byte)(unsafe.Pointer(copied)), unsafe.Sizeof(one)), at); err != nil {
			return 0
		}
	}
	if one != again || int(one.MountId) != mount {
		return 0
	}
	return one.At
}

// counters sums the kernel's counters of a hook over the CPUs.
func counters(o *objects, hook int) (sum trampolinesCounters) {
	return sumOf(rows[trampolinesCounters](o, "counts"), hook)
}

// sumOf sums one hook's of all rows, which lie CPU after CPU.
func sumOf(all []trampolinesCounters, hook int) (sum trampolinesCounters) {
	for i := hook; i < len(all); i += int(trampolinesHookHOOKS) {
		c := &all[i]
		sum.Seen += c.Seen
		sum.Emitted += c.Emitted
		sum.Ignored += c.Ignored
		sum.Failed += c.Failed
		sum.Slow += c.Slow
		sum.LostRing += c.LostRing
		sum.LostMap += c.LostMap
		sum.LostScratch += c.LostScratch
		sum.LostOutcome += c.LostOutcome
	}
	return sum
}

// walks sums the automaton's counters over the CPUs.
func walks(o *objects) (sum trampolinesWalks) {
	cpus := rows[trampolinesWalks](o, "walked")
	for i := range cpus {
		c := &cpus[i]
		sum.Climbs += c.Climbs
		sum.Retries += c.Retries
		sum.GaveUp += c.GaveUp
		sum.Bumps += c.Bumps
		sum.NoScratch += c.NoScratch
		sum.Surveys += c.Surveys
		sum.Unsure += c.Unsure
	}
	return sum
}

// Stats returns what the backend counts; any thread may call it, also after
// Close.
func (b *Backend) Stats() []Counter {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return b.last
	}
	return b.count()
}

func (b *Backend) count() []Counter {
	var all []Counter
	counted := rows[trampolinesCounters](b.objects, "counts")
	for hook, name := range hookNames {
		c := sumOf(counted, hook)
		for _, column := range hookColumns {
			all = append(all, Counter{"ebpf_" + name + "_" + column.name, name + ": " + column.help, column.of(&c)})
		}
	}
	w := walks(b.objects)
	return append(all,
		Counter{"ebpf_climbs", "climbs through directories", w.Climbs},
		Counter{"ebpf_climb_retries", "climbs repeated because a rename overtook them", w.Retries},
		Counter{"ebpf_climbs_given_up", "climbs that ended without an answer", w.GaveUp},
		Counter{"ebpf_epoch_bumps", "renames and mounts that voided the states of directories", w.Bumps},
		Counter{"ebpf_climbs_without_memory", "climbs not made for want of scratch memory", w.NoScratch},
		Counter{"ebpf_mount_surveys", "surveys of the host's mounts", w.Surveys},
		Counter{"ebpf_mount_unsure", "directories taken for watched because their mounts had just changed", w.Unsure},
		Counter{"ebpf_skipped", "calls that the kernel skipped a program for", b.skipped()},
		Counter{"ebpf_undecided", "records lost because renames kept overtaking the walk", b.paths.undecided.Load()},
		Counter{"ebpf_unmatched", "records that no pattern matches", b.paths.unlike.Load()},
		Counter{"ebpf_unplaced", "records of files that no mount of the host shows", b.paths.nowhere.Load()},
	)
}

// skipped sums the calls that went by without the program being run: the
// trampoline's guard, or no free instance of a return probe.
func (b *Backend) skipped() (sum uint64) {
	for _, p := range b.hooks {
		if p.twin {
			continue // what it is skipped for, the probe sees
		}
		for _, name := range p.programs(p.flavour) {
			program := b.objects.program(name)
			if program == nil {
				continue
			}
			if s, err := program.Stats(); err == nil {
				sum += s.RecursionMisses
			}
		}
	}
	for _, l := range b.links {
		info, err := l.Info()
		if err != nil {
			continue
		}
		if k := info.PerfEvent(); k != nil && k.Kprobe() != nil {
			sum += k.Kprobe().Missed
		}
	}
	return sum
}

// lossReasons are the words of [event.Lost], in the order of losses.
var lossReasons = [...][]byte{
	[]byte(event.LossRingFull), []byte(event.LossMapFull), []byte(event.LossScratchFull),
	[]byte(event.LossPathUnstable), []byte(event.LossProgramSkipped), []byte(event.LossOutcomeUnseen),
}

// losses turns growing counters of loss into events.
type losses struct {
	looked    time.Time
	told, now [len(lossReasons)]uint64
	skips     uint64 // how often skipped calls were noticed
	err       error  // of voiding the tags; the next call reports it
}

// lookEvery keeps the reading of counters from costing what events should.
const lookEvery = time.Second

// next fills e with a loss that has not been told of.
func (l *losses) next(b *Backend, e *event.Event) bool {
	if now := time.Now(); now.Sub(l.looked) >= lookEvery {
		l.looked = now
		l.look(b)
	}
	for i := range l.now {
		if n := l.now[i] - l.told[i]; n > 0 {
			l.told[i] = l.now[i]
			*e = event.Event{Op: event.OpLost, Boot: bootTime()}
			e.Lost = event.Lost{Count: event.Known(n), Reason: lossReasons[i]}
			return true
		}
	}
	return false
}

func (l *losses) look(b *Backend) {
	before := l.now
	l.now = [len(lossReasons)]uint64{3: b.paths.undecided.Load(), 4: b.skipped()}
	if b.o.Follow != nil {
		l.now[1] = b.o.Follow.Refused()
	}
	if l.now[4] != before[4] {
		// What was skipped may have been a rename or a mount: nothing can be trusted.
		l.skips++
		l.err = errors.Join(b.seeder.bump(), b.seeder.resettle(true))
	} else {
		l.err = b.seeder.resettle(false)
	}
	counted := rows[trampolinesCounters](b.objects, "counts")
	for hook := range hookNames {
		if hook == int(trampolinesHookHOOK_PROCESS) {
			continue // no event: what such a record tells is then looked for elsewhere
		}
		c := sumOf(counted, hook)
		l.now[0] += c.LostRing
		l.now[1] += c.LostMap
		l.now[2] += c.LostScratch
		l.now[5] += c.LostOutcome
	}
}
