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

func TestAProcessThatStartedInThatTickIsCompleted(t *testing.T) {
	p := event.Process{Comm: []byte("as the kernel said"), UID: event.Known(7)}
	New("/proc").Complete(os.Getpid(), started(t)+9_999_999, &p)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if string(p.Exe) != exe || len(p.Argv) != len(os.Args) || p.Start == 0 {
		t.Errorf("not completed: %+v", p)
	}
	if !bytes.Equal(p.Comm, []byte("as the kernel said")) || p.UID != event.Known(7) {
		t.Errorf("what the kernel said was overwritten: %+v", p)
	}
}

func TestAProcessThatTookOverTheNumberAddsNothing(t *testing.T) {
	for name, at := range map[string]uint64{
		"an earlier one": started(t) - 1, "a later one": started(t) + 10_000_000,
	} {
		var p event.Process
		New("/proc").Complete(os.Getpid(), at, &p)
		if p.Exe != nil || p.Cwd != nil || p.Argv != nil {
			t.Errorf("%s: told of another process: %+v", name, p)
		}
	}
}
