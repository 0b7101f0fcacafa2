// SPDX-License-Identifier: Apache-2.0

package process

import (
	"bytes"
	"os"
	"strconv"
	"testing"

	"github.com/falco-fim/fim/event"
)

// started returns when this process started, in nanoseconds since boot, as
// /proc tells it.
func started(t *testing.T) uint64 {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(os.Getpid()) + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	st, ok := parseStat(text)
	if !ok {
		t.Fatalf("cannot read %q", text)
	}
	return st.start * (1e9 / ticksPerSecond)
}

// ownName is the name of this process, as the kernel has it.
func ownName(t *testing.T) []byte {
	t.Helper()
	comm, err := os.ReadFile("/proc/" + strconv.Itoa(os.Getpid()) + "/comm")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(comm, []byte("\n"))
}

func TestAProcessThatStartedInThatTickIsCompleted(t *testing.T) {
	comm := ownName(t)
	p := event.Process{Comm: comm, UID: event.Known(7)}
	New("/proc").Complete(os.Getpid(), started(t)+9_999_999, bootNow(), &p)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if string(p.Exe) != exe || len(p.Argv) != len(os.Args) {
		t.Errorf("not completed: %+v", p)
	}
	if !bytes.Equal(p.Comm, comm) || p.UID != event.Known(7) {
		t.Errorf("what the kernel said was overwritten: %+v", p)
	}
}

func TestAProcessThatTookOverTheNumberAddsNothing(t *testing.T) {
	for name, at := range map[string]uint64{
		"an earlier one": started(t) - 1, "a later one": started(t) + 10_000_000,
	} {
		var p event.Process
		New("/proc").Complete(os.Getpid(), at, bootNow(), &p)
		if p.Exe != nil || p.Cwd != nil || p.Argv != nil {
			t.Errorf("%s: told of another process: %+v", name, p)
		}
	}
}

func TestWhatTheKernelSaidDecidesWhatIsStillTrue(t *testing.T) {
	self, ppid := os.Getpid(), uint64(os.Getppid())
	uid, gid := event.Known(uint64(os.Geteuid())), event.Known(uint64(os.Getegid()))
	now := event.Process{UID: uid, GID: gid, Ppid: event.Known(ppid)}
	New("/proc").Complete(self, started(t), bootNow(), &now)
	if !now.RUID.Known || !now.RGID.Known || len(now.AncestorPids) == 0 || now.AncestorPids[0] != ppid || !now.Vpid.Known || !now.MntNS.Known {
		t.Errorf("not completed: %+v", now)
	}
	then := event.Process{Comm: []byte("before exec"), UID: event.Known(4711), GID: event.Known(4711), Ppid: event.Known(4711)}
	New("/proc").Complete(self, started(t), bootNow(), &then)
	if then.Exe != nil || then.Argv != nil || then.RUID.Known || then.RGID.Known || then.AncestorPids != nil || then.ParentArgv != nil {
		t.Errorf("told of what has changed since: %+v", then)
	}
}

func TestOnlyAnEventAfterTheLastLookHasAProcessLookedAtAgain(t *testing.T) {
	dir, was := t.TempDir(), ""
	pid, _, kill := child(t, dir, nil, "/bin/sh", "-c", ready)
	r := New("/proc")
	st, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	of, _ := parseStat(st)
	began := of.start * (1e9 / ticksPerSecond)
	var p event.Process
	r.Complete(pid, began, bootNow(), &p)
	if was = string(p.Cwd); was != dir {
		t.Fatalf("got %q", was)
	}
	kill()
	p = event.Process{}
	if r.Complete(pid, began, began, &p); string(p.Cwd) != dir {
		t.Errorf("an event from before the look: got %+v", p)
	}
	p = event.Process{}
	if r.Complete(pid, began, bootNow(), &p); p.Cwd != nil || p.Exe != nil || p.Vpid.Known {
		t.Errorf("an event after the process was last seen: got %+v", p)
	}
}

func TestTheMemoHoldsTheLastProcesses(t *testing.T) {
	var m memo
	for i := range 3 * memoSize {
		rec := m.room(identity{i, 1})
		rec.looked = uint64(i)
		if m.room(identity{i, 1}) != rec || len(m.at) > memoSize {
			t.Fatalf("%d: %d held", i, len(m.at))
		}
	}
	for i := range 3 * memoSize {
		rec := m.at[identity{i, 1}]
		if held := i >= 2*memoSize; held != (rec != nil) || held && rec.looked != uint64(i) {
			t.Errorf("%d: held: %v", i, rec != nil)
		}
	}
}

func BenchmarkComplete(b *testing.B) {
	text, _ := os.ReadFile("/proc/self/stat")
	st, _ := parseStat(text)
	r := New("/proc")
	for name, at := range map[string]uint64{"looked up": 1 << 62, "known": 0} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var p event.Process
			for b.Loop() {
				r.Complete(os.Getpid(), st.start*(1e9/ticksPerSecond), at, &p)
			}
		})
	}
}
