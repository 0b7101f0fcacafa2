// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"errors"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/bpf"
	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/source"
)

// window is a moment at which what Go knows of the mounts is older than what a
// process already uses: the stream is up to date, an actor mounts, moves and works
// at once, and only then the stream is read. No change may be missed, and no path
// may be of another moment. Paths lie below the test's root.
type window struct {
	name    string
	watched []string   // patterns; nil is "watched"
	setUp   [][]string // known to the stream
	steps   [][]string // by the actor, at once
	// want are the events. "?" before a path says that it may be absent: the
	// mount that it was true for is gone, or has the device number of one that
	// was there just before. No other path may be in its place.
	want []string
}

var windows = []window{
	{"a bind mount of a known filesystem is used at once", nil,
		[][]string{{"mkdir", "away"}, {"mkdir", "watched/b"}},
		[][]string{{"hostbind", "away", "watched/b"}, {"mknod", "watched/b/f"}, {"mknod", "away/g"}},
		[]string{"create watched/b/f", "create watched/b/g"}},
	{"a bind mount of a directory whose state is cached is used at once", nil,
		[][]string{{"mkdir", "away"}, {"mkdir", "away/x"}, {"mkdir", "away/x/y"}, {"mkdir", "watched/b"}},
		[][]string{{"mknod", "away/x/y/hot"}, {"hostbind", "away/x", "watched/b"}, {"mknod", "watched/b/y/f"}},
		[]string{"create watched/b/y/f"}},
	{"a new filesystem is used at once", nil,
		[][]string{{"mkdir", "watched/m"}},
		[][]string{{"tmpfs", "watched/m"}, {"mknod", "watched/m/f"}},
		[]string{"create watched/m/f"}},
	{"a new filesystem has the device number of one that is gone", nil,
		[][]string{{"mkdir", "away"}, {"mkdir", "watched/m"}, {"tmpfs", "away"}},
		[][]string{{"umount", "away"}, {"tmpfs", "watched/m"}, {"mknod", "watched/m/f"}},
		[]string{"create ?watched/m/f"}},
	{"a new filesystem has the device number of one that was watched and is gone", nil,
		[][]string{{"mkdir", "watched/m"}, {"mkdir", "watched/n"}, {"tmpfs", "watched/m"}},
		[][]string{{"umount", "watched/m"}, {"tmpfs", "watched/n"}, {"mknod", "watched/n/f"}},
		[]string{"create watched/n/f"}},
	{"a directory above a mountpoint is moved in", nil,
		[][]string{{"mkdir", "away"}, {"mkdir", "away/m"}, {"tmpfs", "away/m"}},
		[][]string{{"mknod", "away/m/before"}, {"rename", "away", "watched/d"}, {"mknod", "watched/d/m/f"}},
		[]string{"rename watched/d from away", "create watched/d/m/f"}},
	{"a directory above a mountpoint is moved out", nil,
		[][]string{{"mkdir", "watched/d"}, {"mkdir", "watched/d/m"}, {"tmpfs", "watched/d/m"}},
		[][]string{{"rename", "watched/d", "away"}, {"mknod", "away/m/f"}},
		[]string{"rename away from watched/d"}},
	{"a directory above a mountpoint is moved inside", nil,
		[][]string{{"mkdir", "watched/d"}, {"mkdir", "watched/d/m"}, {"tmpfs", "watched/d/m"}},
		[][]string{{"mknod", "watched/d/m/f"}, {"rename", "watched/d", "watched/e"}, {"mknod", "watched/e/m/g"}},
		[]string{"create ?watched/d/m/f", "rename watched/e from watched/d", "create watched/e/m/g"}},
	{"a directory above a mountpoint comes under another pattern", []string{"one/m/keys", "two/m/certs", "end"},
		[][]string{{"mkdir", "one"}, {"mkdir", "one/m"}, {"tmpfs", "one/m"}},
		[][]string{{"rename", "one", "two"}, {"mknod", "two/m/certs"}, {"mknod", "two/m/keys"}},
		[]string{"rename two from one", "create two/m/certs"}},
	{"a directory above a mountpoint is moved where nothing is watched, then another one in", nil,
		[][]string{{"mkdir", "away"}, {"mkdir", "away/m"}, {"tmpfs", "away/m"}, {"mkdir", "far"}},
		[][]string{{"mknod", "away/m/hot"}, {"rename", "away", "far/a"}, {"rename", "far", "watched/d"}, {"mknod", "watched/d/a/m/f"}},
		[]string{"rename watched/d from far", "create watched/d/a/m/f"}},
	{"a directory above a mountpoint is exchanged with one inside", nil,
		[][]string{{"mkdir", "away"}, {"mkdir", "away/m"}, {"tmpfs", "away/m"}, {"mkdir", "watched/d"}},
		[][]string{{"exchange", "watched/d", "away"}, {"mknod", "watched/d/m/f"}},
		[]string{"rename away from watched/d", "rename watched/d from away", "create watched/d/m/f"}},
	{"a directory is mounted under two patterns", []string{"one/keys", "two/certs", "end"},
		[][]string{{"mkdir", "away"}, {"mkdir", "one"}, {"mkdir", "two"}},
		[][]string{{"hostbind", "away", "one"}, {"hostbind", "away", "two"}, {"mknod", "away/keys"}, {"mknod", "one/certs"}, {"mknod", "one/other"}},
		[]string{"create one/keys", "create two/certs"}},
	{"a tree of mounts is bound at once", nil,
		[][]string{{"mkdir", "away"}, {"tmpfs", "away"}, {"mkdir", "away/m"}, {"tmpfs", "away/m"}, {"mkdir", "watched/b"}},
		[][]string{{"mknod", "away/m/hot"}, {"rbind", "away", "watched/b"}, {"mknod", "watched/b/m/f"}, {"mknod", "away/m/g"}},
		[]string{"create watched/b/m/f", "create watched/b/m/g"}},
	{"a mount is moved in", nil,
		[][]string{{"mkdir", "away"}, {"tmpfs", "away"}, {"mkdir", "watched/m"}},
		[][]string{{"mknod", "away/hot"}, {"move", "away", "watched/m"}, {"mknod", "watched/m/f"}},
		[]string{"create watched/m/f"}},
	{"a mount with others on it is moved in by move_mount(2)", nil,
		[][]string{{"mkdir", "away"}, {"tmpfs", "away"}, {"mkdir", "away/n"}, {"tmpfs", "away/n"}, {"mkdir", "watched/m"}},
		[][]string{{"mknod", "away/n/hot"}, {"move_mount", "away", "watched/m"}, {"mknod", "watched/m/n/f"}},
		[]string{"create watched/m/n/f"}},
	{"a mount is moved out", nil,
		[][]string{{"mkdir", "away"}, {"mkdir", "watched/m"}, {"tmpfs", "watched/m"}},
		[][]string{{"move", "watched/m", "away"}, {"mknod", "away/f"}},
		nil},
	{"a copy of a tree of mounts is attached by move_mount(2)", nil,
		[][]string{{"mkdir", "away"}, {"tmpfs", "away"}, {"mkdir", "away/m"}, {"tmpfs", "away/m"}, {"mkdir", "watched/b"}},
		[][]string{{"mknod", "away/m/hot"}, {"copy", "away", "watched/b"}, {"mknod", "watched/b/m/f"}, {"mknod", "away/m/g"}},
		[]string{"create watched/b/m/f", "create watched/b/m/g"}},
	{"a filesystem made by fsopen(2) is used at once", nil,
		[][]string{{"mkdir", "watched/m"}},
		[][]string{{"fsopen", "watched/m"}, {"mknod", "watched/m/f"}},
		[]string{"create watched/m/f"}},
	{"a filesystem is mounted because a path leads over it", nil, // debugfs mounts tracefs
		[][]string{{"mkdir", "watched/m"}, {"debugfs", "watched/m"}},
		[][]string{{"mkdir", "watched/m/tracing/instances/fim"}, {"rmdir", "watched/m/tracing/instances/fim"}},
		[]string{"mkdir watched/m/tracing/instances/fim"}},
	{"a mount is propagated to a peer inside", nil,
		[][]string{{"mkdir", "away"}, {"tmpfs", "away"}, {"share", "away"}, {"mkdir", "away/m"}, {"mkdir", "watched/b"}, {"hostbind", "away", "watched/b"}},
		[][]string{{"tmpfs", "away/m"}, {"mknod", "away/m/f"}, {"mknod", "watched/b/m/g"}},
		[]string{"create watched/b/m/f", "create watched/b/m/g"}},
	{"a mount is propagated from another namespace", nil,
		[][]string{{"mkdir", "watched/s"}, {"tmpfs", "watched/s"}, {"share", "watched/s"}, {"mkdir", "watched/s/m"}},
		[][]string{{"unshare"}, {"tmpfs", "watched/s/m"}, {"mknod", "watched/s/m/f"}},
		[]string{"create watched/s/m/f"}},
	{"a mount that another namespace keeps for itself hides nothing of the host", nil,
		[][]string{{"mkdir", "watched/m"}},
		[][]string{{"unshare"}, {"alone"}, {"tmpfs", "watched/m"}, {"mknod", "watched/m/f"}, {"umount", "watched/m"}, {"mknod", "watched/m/g"}},
		[]string{"create watched/m/g"}},
	{"a filesystem is gone when its event is read", nil,
		[][]string{{"mkdir", "watched/m"}, {"tmpfs", "watched/m"}},
		[][]string{{"mknod", "watched/m/f"}, {"umount", "watched/m"}},
		[]string{"create ?watched/m/f"}},
	{"another filesystem has its device number when its event is read", nil,
		[][]string{{"mkdir", "watched/m"}, {"mkdir", "watched/n"}, {"tmpfs", "watched/m"}},
		[][]string{{"mknod", "watched/m/f"}, {"umount", "watched/m"}, {"tmpfs", "watched/n"}},
		[]string{"create ?watched/m/f"}},
	{"a filesystem outside has its device number when its event is read", nil,
		[][]string{{"mkdir", "watched/m"}, {"mkdir", "away"}, {"tmpfs", "watched/m"}},
		[][]string{{"mknod", "watched/m/f"}, {"umount", "watched/m"}, {"tmpfs", "away"}},
		[]string{"create ?watched/m/f"}},
	{"a filesystem is unmounted lazily and still used", nil,
		[][]string{{"mkdir", "watched/m"}, {"tmpfs", "watched/m"}},
		[][]string{{"chdir", "watched/m"}, {"mknod", "./f"}, {"detach", "watched/m"}},
		[]string{"create ?watched/m/f"}},
	{"a bind mount is gone when its event is read", nil,
		[][]string{{"mkdir", "away"}, {"mkdir", "watched/b"}, {"hostbind", "away", "watched/b"}},
		[][]string{{"mknod", "watched/b/f"}, {"umount", "watched/b"}},
		[]string{"create ?watched/b/f"}},
	{"a mount is covered by another when its event is read", nil,
		[][]string{{"mkdir", "watched/m"}, {"tmpfs", "watched/m"}},
		[][]string{{"mknod", "watched/m/f"}, {"tmpfs", "watched/m"}, {"mknod", "watched/m/g"}},
		[]string{"create ?watched/m/f", "create watched/m/g"}},
}

func TestMountsLeaveNoWindow(t *testing.T) {
	bpf.SkipWhereRefused(t)
	base := t.TempDir()
	s := openWindows(t, base)
	for i := range windows {
		t.Run(windows[i].name, func(t *testing.T) { windows[i].run(t, s, rootOf(base, i)) })
	}
}

func rootOf(base string, i int) string { return filepath.Join(base, strconv.Itoa(i)) }

// run has the stream know what is set up, lets the actor work, and reads what came
// of it.
func (w *window) run(t *testing.T, s *source.Stream, root string) {
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, s := range append([][]string{{"tmpfs", ""}, {"mkdir", "watched"}}, w.setUp...) {
		if err := bpf.Take(below(root, s)...); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
	}
	t.Cleanup(func() { unmountAll(root) })
	var e event.Event
	if err := s.Next(&e, time.Now()); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%v %s, %v: what the test itself does is no event", e.Op, e.File.HostPath, err)
	}
	end := filepath.Join(root, w.end())
	var steps []string
	for _, one := range append(w.steps, []string{"mkdir", w.end()}) {
		steps = append(steps, bpf.Step(below(root, one)...))
	}
	if out, err := bpf.MountActor(steps...).Output(); err != nil {
		t.Fatalf("the actor failed: %v %s", err, out)
	}
	got := read(t, s, root, end)
	want := slices.Clone(w.want)
	for i := range want {
		if path := strings.Replace(want[i], "?", "", 1); i < len(got) && (got[i] == path || got[i] == "create ") && path != want[i] {
			want[i] = got[i] // either is true
		}
	}
	bpf.Equal(t, got, want)
}

// patterns are those that the window is about.
func (w *window) patterns() []string {
	if w.watched == nil {
		return []string{"watched"}
	}
	return w.watched
}

// end is the directory whose making says that the actor is done.
func (w *window) end() string {
	if w.watched == nil {
		return "watched/end"
	}
	return "end"
}

// openWindows opens one stream for all windows, each below a root of its own.
func openWindows(t *testing.T, base string) *source.Stream {
	t.Helper()
	c := source.Default()
	c.Backend, c.HostRoot, c.Log = "ebpf", "/", log.New(io.Discard, "", 0)
	c.Events = []string{"create", "mkdir", "rename"}
	c.Watch = nil
	for i := range windows {
		for _, p := range windows[i].patterns() {
			c.Watch = append(c.Watch, filepath.Join(rootOf(base, i), p))
		}
	}
	s, err := source.Open(c, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// read reads until the directory end appears.
func read(t *testing.T, s *source.Stream, root, end string) (got []string) {
	t.Helper()
	rel := func(path []byte) string { return strings.TrimPrefix(strings.TrimPrefix(string(path), root), "/") }
	for {
		var e event.Event
		if err := s.Next(&e, time.Now().Add(20*time.Second)); err != nil {
			t.Fatalf("%v, after %q", err, got)
		}
		if string(e.File.HostPath) == end {
			return got
		}
		line := e.Op.String() + " " + rel(e.File.HostPath)
		if e.Op == event.OpRename {
			line += " from " + rel(e.Old.HostPath)
		}
		if e.Op == event.OpLost {
			line += string(e.Lost.Reason)
		}
		got = append(got, line)
	}
}

// below puts root before the operands of a step.
func below(root string, s []string) []string {
	all := []string{s[0]}
	for _, p := range s[1:] {
		if !strings.HasPrefix(p, ".") {
			p = filepath.Join(root, p)
		}
		all = append(all, p)
	}
	return all
}

// unmountAll detaches what lies at root, with all that is mounted below.
func unmountAll(root string) {
	for unix.Unmount(root, unix.MNT_DETACH) == nil {
	}
}
