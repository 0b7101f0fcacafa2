// SPDX-License-Identifier: Apache-2.0

package fanotify

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/mount"
	"github.com/falco-fim/fim/watch"
)

// Options is what [Open] watches.
type Options struct {
	Set *watch.Set
	Ops []event.Op // the operations wanted
	// HostRoot is where the root of the host is mounted: "/", or "/host" in a
	// container. Paths of events and patterns are those of the host.
	HostRoot string
	// Who fills in who did it. pidfd is negative when the process is gone. Nil
	// leaves all but the pid out.
	Who func(pid, pidfd int, p *event.Process)
}

// Group is an open fanotify group with its marks. Only Stats may be called from
// other threads.
type Group struct {
	set    *watch.Set
	ops    [256]bool
	mask   uint64
	root   string
	who    func(pid, pidfd int, p *event.Process)
	self   int32
	pidfds bool // the kernel tells processes by pidfd

	queue *queue
	tree  *tree

	era       // of the events that are handed out
	tableName string
	tableFd   int    // polled for changes; os.File would have the runtime poll it too
	ownTable  string // our own mounts, when those of the table are not
	paths     []mount.Path
	labels    map[*mount.Mount]label

	filesystems map[[fsidLen]byte]*filesystem
	marked      []Filesystem
	refused     []Refusal

	history
	hand   hand  // the event in hand
	actor  actor // of the last event that was handed out
	failed error // why no more events can be read
	stats  Stats
}

// Open marks the filesystems that hold watched paths. It succeeds when at least
// one could be marked; see [Group.Refused] for the others. Errors are
// [ErrPrivilege], [ErrKernel] or [ErrNothing] where one of these fits.
func Open(o Options) (*Group, error) {
	fd, pidfds, err := initGroup()
	if err != nil {
		return nil, err
	}
	g := &Group{
		pidfds: pidfds,
		set:    o.Set, mask: maskOf(o.Ops), root: path.Clean("/" + o.HostRoot), who: o.Who, self: int32(os.Getpid()),
		queue: newQueue(fd), tree: newTree(), tableFd: -1, labels: make(map[*mount.Mount]label), filesystems: make(map[[fsidLen]byte]*filesystem), history: newHistory(),
		hand: hand{told: make(map[string]uint64)},
	}
	if g.who == nil {
		g.who = func(pid, _ int, p *event.Process) { *p = event.Process{Pid: uint64(max(pid, 0))} }
	}
	for _, op := range o.Ops {
		g.ops[reportedAs(op)] = true
	}
	if err := g.start(); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

// initGroup opens the group, without pidfds where the kernel has none.
func initGroup() (fd int, pidfds bool, err error) {
	const flags = unix.FAN_CLASS_NOTIF | unix.FAN_CLOEXEC | unix.FAN_NONBLOCK | unix.FAN_REPORT_DFID_NAME_TARGET
	const files = unix.O_RDONLY | unix.O_CLOEXEC | unix.O_LARGEFILE
	if fd, err = unix.FanotifyInit(flags|unix.FAN_REPORT_PIDFD, files); err == nil {
		return fd, true, nil
	}
	if err == unix.EINVAL {
		fd, err = unix.FanotifyInit(flags, files)
	}
	if err != nil {
		return -1, false, explainInit(err)
	}
	return fd, false, nil
}

// start opens the mount table and marks what it names.
func (g *Group) start() (err error) {
	const ours = "/proc/self/mountinfo"
	g.tableName = ours
	if g.root != "/" {
		// Paths are those of the host's first process; whether a mount can be
		// reached from here our own table says.
		g.ownTable, g.tableName = ours, path.Join(g.root, "/proc/1/mountinfo")
	}
	if g.tableFd, err = unix.Open(g.tableName, unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		return fmt.Errorf("fanotify backend: open mount table %s: %w", g.tableName, err)
	}
	t, err := mount.Read(g.tableName)
	if err != nil {
		return fmt.Errorf("fanotify backend: %w", err)
	}
	g.add(t)
	g.markAll(t)
	if len(g.marked) == 0 {
		return nothingMarked(g.refused)
	}
	return nil
}

// Pidfds says whether the kernel tells processes by pidfd (FAN_REPORT_PIDFD,
// Linux 5.15). Where it does not, only the pid of a process is told, since its
// number may belong to another by the time that it is looked up.
func (g *Group) Pidfds() bool { return g.pidfds }

// Marked returns the filesystems that are watched.
func (g *Group) Marked() []Filesystem { return g.marked }

// Refused returns those that hold watched paths and could not be marked. Like
// Marked it changes with the mount table.
func (g *Group) Refused() []Refusal { return g.refused }

// Close ends the group. Events that wait are dropped.
func (g *Group) Close() error {
	if g.queue.fd < 0 {
		return nil
	}
	for w, ok := g.queue.pop(); ok; w, ok = g.queue.pop() {
		g.queue.done(&w)
	}
	g.queue.rest()
	err := unix.Close(g.queue.fd)
	g.queue.fd = -1
	if g.tableFd >= 0 {
		err = errors.Join(err, unix.Close(g.tableFd))
	}
	return err
}

// Table returns the mount table that was read last; [Group.Next] reads it again when
// it has changed, before the events that come after.
func (g *Group) Table() *mount.Table { return g.newest() }

// wait returns when there are events to read or the mount table has changed.
func (g *Group) wait(deadline time.Time) error {
	for {
		left := unix.NsecToTimespec(max(0, int64(time.Until(deadline))))
		fds := []unix.PollFd{
			{Fd: int32(g.queue.fd), Events: unix.POLLIN},
			{Fd: int32(g.tableFd), Events: unix.POLLPRI},
		}
		n, err := unix.Ppoll(fds, &left, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return fmt.Errorf("fanotify backend: wait for events: %w", err)
		case n == 0:
			return os.ErrDeadlineExceeded
		}
		if fds[1].Revents != 0 {
			g.remount()
		}
		return nil
	}
}

// rest is called when no event waits.
func (g *Group) rest() {
	g.queue.rest()
	g.tree.rest()
}

// carried says whether what was at this place is mounted by itself or, of a directory, has
// mounts below or holds the root of a mount: its renaming changes paths in the mount table,
// which no poll(2) tells.
func (g *Group) carried(f *filesystem, from *side) bool {
	if !g.hand.movesDirectory() {
		return slices.ContainsFunc(g.newest().Mounts(), func(m mount.Mount) bool { return m.Dev == f.dev && m.Root == string(from.inFS) })
	}
	for _, t := range g.tables {
		g.paths = t.HostPaths(g.paths[:0], f.dev, from.inFS)
		for _, m := range t.Mounts() {
			if m.Dev == f.dev && m.Root != "/" && below(m.Root+"/", string(from.inFS)) {
				return true
			}
			if slices.ContainsFunc(g.paths, func(p mount.Path) bool { return below(m.Point+"/", string(p.Host)) }) {
				return true
			}
		}
	}
	return false
}
