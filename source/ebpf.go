// SPDX-License-Identifier: Apache-2.0

package source

import (
	"errors"
	"fmt"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/bpf"
	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/mount"
	"github.com/falco-fim/fim/process"
)

// ebpfBackend gives the programs' events what they need from the host: paths
// by its mount table, which it follows, and what /proc knows of processes.
type ebpfBackend struct {
	*bpf.Backend
	set    setup
	name   string // of the mount table
	fd     int    // of it, open for poll(2)
	table  *mount.Table
	words  map[*mount.Mount][2][]byte // mountpoint and type, made once and not per event
	found  []mount.Path
	fresh  []bpf.Mount // read and not yet made known to the kernel side
	failed error       // of reading them; the next call of Next reports it
	who    *process.Reader
	epoch  uint64 // moment of boot, nanoseconds since the Unix epoch
}

// openEBPF opens the backend that attaches to kernel functions.
func openEBPF(s setup) (Backend, error) {
	b := &ebpfBackend{set: s, name: "/proc/self/mountinfo", fd: -1, who: process.New("/proc"), epoch: bootMoment()}
	if s.root != "/" {
		b.name = path.Join(s.root, "/proc/1/mountinfo")
	}
	if err := b.open(); err != nil {
		return nil, errors.Join(err, b.closeTable())
	}
	return b, nil
}

func (b *ebpfBackend) open() (err error) {
	if b.fd, err = unix.Open(b.name, unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		return fmt.Errorf("ebpf backend: open mount table %s: %w", b.name, err)
	}
	mounts, err := b.readTable()
	if err != nil {
		return err
	}
	b.Backend, err = bpf.Open(bpf.Options{
		Set: b.set.set, Ops: b.set.ops, HostRoot: b.set.root, Mounts: mounts, Place: b.place, Who: b.complete,
	})
	return err
}

// readTable reads the mount table anew.
func (b *ebpfBackend) readTable() ([]bpf.Mount, error) {
	table, err := mount.Read(b.name)
	if err != nil {
		return nil, fmt.Errorf("ebpf backend: %w", err)
	}
	b.table = table
	rows := table.Mounts()
	mounts := make([]bpf.Mount, len(rows))
	b.words = make(map[*mount.Mount][2][]byte, len(rows))
	for i := range rows {
		m := &rows[i]
		b.words[m] = [2][]byte{[]byte(m.Point), []byte(m.FSType)}
		mounts[i] = bpf.Mount{Dev: m.Dev, Root: m.Root, Point: m.Point, FSType: m.FSType}
	}
	return mounts, nil
}

// place finds the host paths of a file. One that no mount shows may lie on a
// mount newer than the table.
func (b *ebpfBackend) place(dst []bpf.Place, dev uint64, inFS []byte) []bpf.Place {
	b.found = b.table.HostPaths(b.found[:0], dev, inFS)
	if len(b.found) == 0 && b.tableChanged() {
		if b.fresh, b.failed = b.readTable(); b.failed == nil {
			b.found = b.table.HostPaths(b.found[:0], dev, inFS)
		}
	}
	for _, p := range b.found {
		words := b.words[p.Mount]
		dst = append(dst, bpf.Place{Host: p.Host, Mountpoint: words[0], FSType: words[1]})
	}
	return dst
}

// startSlack is how far two readings of one process's start may lie apart:
// /proc counts in ticks of 10 ms, and the clock is read twice.
const startSlack = uint64(50 * time.Millisecond)

// complete adds what /proc knows, if the process there is the one of the event:
// it bears its number and started when it did.
func (b *ebpfBackend) complete(pid int, started uint64, p *event.Process) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return // gone: what the kernel side told stays
	}
	defer unix.Close(fd)
	var now event.Process
	b.who.Fill(pid, fd, &now)
	if want := b.epoch + started; now.Start+startSlack < want || now.Start > want+startSlack {
		return
	}
	p.Start, p.Exe, p.Cwd, p.Argv = now.Start, now.Exe, now.Cwd, now.Argv
}

// bootMoment is when CLOCK_BOOTTIME was zero, on the wall clock of now.
func bootMoment() uint64 {
	var wall, boot unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_REALTIME, &wall) // cannot fail for clocks that exist
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot)
	return uint64(wall.Nano() - boot.Nano())
}

// Next follows the mount table before it reads, so that no event is placed by
// mounts that were gone when it happened.
func (b *ebpfBackend) Next(e *event.Event, deadline time.Time) error {
	if b.tableChanged() {
		b.fresh, b.failed = b.readTable()
	}
	if b.failed != nil {
		return b.failed
	}
	if b.fresh != nil {
		if err := b.Refresh(b.fresh); err != nil {
			b.set.logf("ebpf: some mounts are not watched by themselves: %v", err)
		}
		b.fresh = nil
	}
	return b.Backend.Next(e, deadline)
}

// tableChanged asks the kernel, which answers POLLPRI once per change.
func (b *ebpfBackend) tableChanged() bool {
	fds := []unix.PollFd{{Fd: int32(b.fd), Events: unix.POLLPRI}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0 && fds[0].Revents&(unix.POLLPRI|unix.POLLERR) != 0
}

// Stats are the backend's, as counters of this package.
func (b *ebpfBackend) Stats() []Counter {
	rows := b.Backend.Stats()
	all := make([]Counter, len(rows))
	for i, r := range rows {
		all[i] = Counter(r)
	}
	return all
}

// Watches says that every filesystem is, since the hooks are the kernel's own.
func (b *ebpfBackend) Watches() []string { return []string{"every filesystem, by kernel hooks"} }

// Close detaches the programs.
func (b *ebpfBackend) Close() error { return errors.Join(b.Backend.Close(), b.closeTable()) }

func (b *ebpfBackend) closeTable() error {
	if b.fd < 0 {
		return nil
	}
	fd := b.fd
	b.fd = -1
	return unix.Close(fd)
}
