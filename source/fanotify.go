// SPDX-License-Identifier: Apache-2.0

package source

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/fanotify"
	"github.com/falco-fim/fim/mount"
	"github.com/falco-fim/fim/process"
)

// fanotifyBackend adds to a group what a person must be told: which filesystems
// are not watched, at start and when mounts come and go.
type fanotifyBackend struct {
	*fanotify.Group
	logf     func(format string, args ...any)
	told     map[string]bool // refusals, as text
	remounts *remounts
}

// openFanotify opens the backend for kernels that refuse BPF trampolines.
func openFanotify(s setup) (Backend, error) {
	if s.follow {
		return nil, errors.New("follow: needs the eBPF backend: this one does not know files by what they are, once they have left the watched places; leave the key out")
	}
	who, known := process.New(filepath.Join(s.root, "proc")).Fill, countsAsHost(s.root)
	if !known {
		who = nobody
	}
	g, err := fanotify.Open(fanotify.Options{Set: s.set, Ops: s.ops, HostRoot: s.root, Who: who})
	if err != nil {
		return nil, err
	}
	b := &fanotifyBackend{Group: g, logf: s.logf, remounts: newRemounts(s)}
	b.remounts.look(g.Table()) // what goes from now on is known
	b.tellRefused()
	s.tellUnseen()
	if !known {
		s.logf("fanotify: this process has a pid namespace of its own, so it cannot be known who does what on the host: run it in the host's (hostPID: true, docker run --pid=host)")
	}
	return b, nil
}

// tellUnseen warns of what the configuration asks for by name and this backend
// never reports.
func (s *setup) tellUnseen() {
	if s.failed {
		s.logf("fanotify: failed: refused attempts are not reported, since the kernel tells this backend of none; the backend ebpf sees them")
	}
	if s.inside {
		s.logf("fanotify: containers: what happens inside containers' filesystems is not reported, since overlayfs refuses marks; the backend ebpf sees it")
	}
	if ops := fanotify.Unseen(s.ops); s.named && len(ops) > 0 {
		s.logf("fanotify: events: %s: not reported, since the kernel tells this backend of none; the backend ebpf sees them", strings.Join(operationNames(ops), ", "))
	}
}

// countsAsHost says whether processes have the numbers here that they have on
// the host whose root is mounted at root: if so, the procfs there knows us by
// our own number. The kernel numbers events as our pid namespace does.
func countsAsHost(root string) bool {
	self, err := os.Readlink(filepath.Join(root, "proc/self"))
	return err == nil && self == strconv.Itoa(os.Getpid())
}

// nobody leaves out who did it: a number of another pid namespace would name
// the wrong process of the host.
func nobody(_, _ int, p *event.Process) { *p = event.Process{} }

// Next is the group's, and looks at the refusals whenever nothing happens.
func (b *fanotifyBackend) Next(e *event.Event, deadline time.Time) error {
	err := b.remounts.next(e, deadline, b.Table, b.Group.Next)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		b.tellRefused()
	}
	return err
}

// tellRefused warns of each refusal once for as long as it lasts.
func (b *fanotifyBackend) tellRefused() {
	now := make(map[string]bool, len(b.told))
	for _, r := range b.Refused() {
		text := r.Error()
		if now[text] = true; !b.told[text] {
			b.logf("fanotify: %s", text)
		}
	}
	b.told = now
}

// Watches names the filesystems with marks.
func (b *fanotifyBackend) Watches() []string {
	var list []string
	for _, f := range b.Marked() {
		list = append(list, filesystem(f.Mountpoint, f.FSType, f.Dev))
	}
	return list
}

// filesystem is a mounted filesystem as people read it.
func filesystem(point, fstype string, dev uint64) string {
	return fmt.Sprintf("%s (%s, device %d:%d)", point, fstype, unix.Major(dev), unix.Minor(dev))
}

// can tells what marks give on a filesystem: all or nothing.
func (b *fanotifyBackend) can(t *mount.Table, m *mount.Mount) string {
	for _, f := range b.Marked() {
		if f.Dev == m.Dev {
			return "sees changes: content, attributes, names"
		}
	}
	for _, r := range b.Refused() {
		if at, _ := t.Locate([]byte(r.Mountpoint)); at != nil && at.Dev == m.Dev {
			return "sees nothing there: " + r.Error()
		}
	}
	return "sees nothing there: no pattern leads to that filesystem"
}

// Stats turns the group's counters into those of a stream.
func (b *fanotifyBackend) Stats() []Counter {
	var rows []Counter
	for _, c := range b.Group.Stats() {
		rows = append(rows, Counter(c))
	}
	return rows
}
