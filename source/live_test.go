// SPDX-License-Identifier: Apache-2.0

package source

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

// liveConfig watches a fresh tmpfs.
func liveConfig(t *testing.T) Config {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root, to mount and to watch")
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("fim-test", dir, "tmpfs", 0, ""); err != nil {
		t.Fatal("mount tmpfs: ", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error("unmount tmpfs, which something still uses: ", err)
		}
	})
	c, warnings := quiet(Exit)
	c.Watch = []string{dir}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("warnings: ", warnings)
		}
	})
	return c
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// A reload of Falco opens and closes in one process, which lives on.
func TestClosingLeavesNothingBehind(t *testing.T) {
	c := liveConfig(t)
	file := filepath.Join(t.TempDir(), "f.jsonl")
	if err := os.WriteFile(file, []byte(recorded(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	cycle := func(params string) {
		s, err := Open(c, params)
		if err != nil {
			t.Fatal(err)
		}
		if params == "" {
			mkdirElsewhere(t, c.Watch[0])
		}
		var e event.Event
		if err := s.Next(&e, time.Now().Add(10*time.Second)); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	cycle("") // what the runtime opens once and keeps
	fds, goroutines := descriptors(t), runtime.NumGoroutine()
	for range 20 {
		cycle("")
		cycle("file://" + file)
	}
	if n := descriptors(t); n != fds {
		t.Errorf("%d descriptors before, %d after", fds, n)
	}
	if n := runtime.NumGoroutine(); n > goroutines {
		t.Errorf("%d goroutines before, %d after", goroutines, n)
	}
}

// mkdirElsewhere makes a directory in another process, since events of this one
// are left out.
func mkdirElsewhere(t *testing.T, dir string) {
	t.Helper()
	name, err := os.MkdirTemp(dir, "")
	if err == nil {
		err = os.Remove(name)
	}
	if err != nil {
		t.Fatal(err)
	}
	p, err := os.StartProcess("/bin/mkdir", []string{"mkdir", name}, &os.ProcAttr{})
	if err != nil {
		t.Fatal(err)
	}
	if state, err := p.Wait(); err != nil || !state.Success() {
		t.Fatal(state, err)
	}
}

func TestALiveEventHasTheTimeOfTheWallClock(t *testing.T) {
	c := liveConfig(t)
	s := mustOpen(t, c)
	defer s.Close()
	before := uint64(time.Now().UnixNano())
	mkdirElsewhere(t, c.Watch[0])
	var e event.Event
	if err := s.Next(&e, time.Now().Add(10*time.Second)); err != nil || e.Op != event.OpMkdir {
		t.Fatalf("%+v, error %v", e, err)
	}
	// The offset between the clocks is measured to well below a millisecond.
	const doubt = uint64(time.Millisecond)
	if after := uint64(time.Now().UnixNano()); e.Time+doubt < before || e.Time > after+doubt {
		t.Errorf("time %d is not between %d and %d", e.Time, before, after)
	}
	if e.Proc.Pid == 0 || string(e.Watch) != c.Watch[0] {
		t.Errorf("incomplete: %s", event.AppendText(nil, &e))
	}
}

// A number of another namespace would name the wrong process of the host.
func TestProcessesAreOnlyToldWhereTheyHaveTheNumbersOfTheHost(t *testing.T) {
	if !countsAsHost("/") {
		t.Error("this host counts otherwise than itself")
	}
	if other := host(t, "/proc/self -> 1"); countsAsHost(other) || countsAsHost(t.TempDir()) {
		t.Error("another pid namespace counts as the host's")
	}
	p := event.Process{Pid: 1, Comm: []byte("init")}
	if nobody(1, 1, &p); p.Pid != 0 || p.Comm != nil {
		t.Errorf("nobody is %+v", p)
	}
}

func TestAnIdleLiveStreamReturnsAtTheDeadline(t *testing.T) {
	c := liveConfig(t)
	s := mustOpen(t, c)
	defer s.Close()
	var e event.Event
	for range 3 {
		if err := s.Next(&e, time.Now().Add(time.Millisecond)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("%+v, error %v", e, err)
		}
	}
}

func TestProbeTakesWhatAStreamWouldTake(t *testing.T) {
	c := liveConfig(t)
	verdicts, err := Probe(c)
	if err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, c)
	defer s.Close()
	for _, v := range verdicts {
		if v.Taken != (v.Backend == s.Backend()) || v.Taken != (v.Err == nil) || v.Taken != (len(v.Watches) > 0) {
			t.Errorf("%+v, but the stream took %s", v, s.Backend())
		}
	}
}
