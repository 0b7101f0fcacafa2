// SPDX-License-Identifier: Apache-2.0

package fanotify

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/process"
	"github.com/falco-fim/fim/watch"
)

const (
	roleEnv     = "FIM_FANOTIFY_TEST_ROLE"
	rolePlayer  = "player"  // does what a test tells it, see player_test.go
	rolePrivate = "private" // runs the tests in a mount namespace of its own
	roleNobody  = "nobody"  // opens a group without privileges
)

// TestMain runs the tests in a mount namespace of their own, so that their
// mounts disturb nobody and go away with them.
func TestMain(m *testing.M) {
	switch role := os.Getenv(roleEnv); {
	case role == rolePlayer:
		play()
	case role == roleNobody:
		tryOpen()
	case role == rolePrivate, os.Geteuid() != 0, fuzzing():
		os.Exit(m.Run())
	default:
		os.Exit(runPrivate())
	}
}

func fuzzing() bool {
	return slices.ContainsFunc(os.Args, func(arg string) bool { return strings.HasPrefix(arg, "-test.fuzz") })
}

func runPrivate() int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), roleEnv+"="+rolePrivate)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return exit.ExitCode()
	case err != nil:
		fmt.Fprintln(os.Stderr, "cannot make a mount namespace:", err)
		return 1
	}
	return 0
}

// kernel skips a test that needs privileges it does not have.
func kernel(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: needs root, for fanotify and mounts")
	}
}

// mounter makes a filesystem at dir.
type mounter func(t testing.TB, dir string)

var mounters = map[string]mounter{
	"tmpfs": func(t testing.TB, dir string) { mountAt(t, "tmpfs", dir, "tmpfs", "") },
	"ext4":  image("ext4", 64<<20, "mkfs.ext4", "-q", "-F"),
	"xfs":   image("xfs", 320<<20, "mkfs.xfs", "-q"),
	"btrfs": image("btrfs", 128<<20, "mkfs.btrfs", "-q"),
}

func mountAt(t testing.TB, source, dir, fstype, data string) {
	t.Helper()
	if err := unix.Mount(source, dir, fstype, 0, data); err != nil {
		t.Fatalf("mount %s at %s: %v", fstype, dir, err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
}

// image makes a filesystem in a file and mounts it through a loop device.
func image(fstype string, size int64, mkfs ...string) mounter {
	return func(t testing.TB, dir string) {
		t.Helper()
		if _, err := exec.LookPath(mkfs[0]); err != nil {
			t.Skipf("SKIPPED: no %s: %v", mkfs[0], err)
		}
		file := filepath.Join(t.TempDir(), "image")
		if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Truncate(file, size)); err != nil {
			t.Fatal(err)
		}
		run(t, append(mkfs, file)...)
		run(t, "mount", "-t", fstype, "-o", "loop", file, dir)
		t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	}
}

func run(t testing.TB, command ...string) {
	t.Helper()
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%q: %v\n%s", command, err, out)
	}
}

// onEach runs a test on each filesystem that can be made here.
func onEach(t *testing.T, test func(t *testing.T, w *world)) {
	kernel(t)
	for name, mounter := range mounters {
		t.Run(name, func(t *testing.T) { test(t, newWorld(t, mounter)) })
	}
}

// world is a filesystem with a watched directory "w" and another, "o", and a
// process that acts in it.
type world struct {
	*player
	t    testing.TB
	root string
	g    *Group
	set  *watch.Set
	ops  []event.Op
}

func newWorld(t testing.TB, m mounter) *world {
	t.Helper()
	kernel(t)
	w := &world{t: t, root: filepath.Join(t.TempDir(), "fs"), ops: event.Ops()}
	w.ops = slices.DeleteFunc(w.ops, func(op event.Op) bool { return op == event.OpOpen || op == event.OpLost })
	if err := os.Mkdir(w.root, 0o755); err != nil {
		t.Fatal(err)
	}
	m(t, w.root)
	w.player = newPlayer(t, w.root)
	w.do("mkdir w", "mkdir o")
	return w
}

// watch opens a group on patterns below the root, by default all of w.
func (w *world) watch(patterns ...string) *world {
	w.t.Helper()
	if len(patterns) == 0 {
		patterns = []string{"w"}
	}
	w.set = compile(w.t, w.root, patterns...)
	g, err := Open(Options{Set: w.set, Ops: w.ops, HostRoot: "/", Who: process.New("/proc").Fill})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = g.Close() })
	w.g = g
	return w
}

func compile(t testing.TB, root string, patterns ...string) *watch.Set {
	t.Helper()
	var o watch.Options
	for _, p := range patterns {
		p = filepath.Join(root, p)
		o.Include = append(o.Include, watch.Pattern{Glob: p, Name: p})
	}
	set, err := watch.Compile(o)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// events returns all that is there. An operation's events are in the queue
// before it returns, so nothing needs to be waited for.
func (w *world) events() []*event.Event {
	w.t.Helper()
	var all []*event.Event
	for {
		var e event.Event
		err := w.g.Next(&e, time.Now())
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return all
		}
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, e.Clone())
	}
}

// drop reads all that is there and keeps nothing.
func (w *world) drop() {
	w.t.Helper()
	var e event.Event
	for {
		if err := w.g.Next(&e, time.Now()); errors.Is(err, os.ErrDeadlineExceeded) {
			return
		} else if err != nil {
			w.t.Fatal(err)
		}
	}
}

// expect compares all events, as line tells them, with what is wanted.
func (w *world) expect(want ...string) []*event.Event {
	w.t.Helper()
	all := w.events()
	w.same(w.tell(all), want)
	return all
}

// lines are all events, as line tells them.
func (w *world) lines() []string {
	w.t.Helper()
	return w.tell(w.events())
}

func (w *world) tell(all []*event.Event) (lines []string) {
	for _, e := range all {
		lines = append(lines, w.line(e))
	}
	return lines
}

func (w *world) same(got, want []string) {
	w.t.Helper()
	if !slices.Equal(got, want) {
		w.t.Errorf("events differ\n got %q\nwant %q", got, want)
	}
}

// line is an event as "operation path", with " < old path" for a rename; paths
// are relative to the root.
func (w *world) line(e *event.Event) string {
	rel := func(path []byte) string {
		if len(path) == 0 {
			return "-"
		}
		return strings.TrimPrefix(strings.TrimPrefix(string(path), w.root), "/")
	}
	switch e.Op {
	case event.OpLost:
		return "lost " + string(e.Lost.Reason)
	case event.OpRename:
		return "rename " + rel(e.File.HostPath) + " < " + rel(e.Old.HostPath)
	}
	return e.Op.String() + " " + rel(e.File.HostPath)
}

func (w *world) count(name string) uint64 {
	for _, c := range w.g.Stats() {
		if c.Name == name {
			return c.Value
		}
	}
	w.t.Fatalf("no counter %s", name)
	return 0
}
