// SPDX-License-Identifier: Apache-2.0

package gotest

import "testing"

const console = `[    0.1] a line of the kernel
=== RUN   TestScenarios
=== RUN   TestScenarios/ebpf
=== RUN   TestScenarios/ebpf/tmpfs
=== RUN   TestScenarios/ebpf/tmpfs/a.x
=== PAUSE TestScenarios/ebpf/tmpfs/a.x
=== RUN   TestScenarios/ebpf/tmpfs/b
=== PAUSE TestScenarios/ebpf/tmpfs/b
=== CONT  TestScenarios/ebpf/tmpfs/a.x
    testscript.go:1: of a
    --- PASS: is not a result
--- FAIL: TestScenarios/ebpf/tmpfs/a.x (0.10s)
=== CONT  TestScenarios/ebpf/tmpfs/b
    testscript.go:2: why
--- SKIP: TestScenarios/ebpf/tmpfs/b (0.00s)
=== NAME  TestScenarios/ebpf/tmpfs
=== RUN   TestScenarios/ebpf/tmpfs/c
    testscript.go:3: of c
[   12.3] Kernel panic - not syncing
`

func TestWhatAGuestSaidBecomesAResultPerScript(t *testing.T) {
	got := Leaves(Parse(console), "TestScenarios/ebpf/")
	want := []Result{
		{"tmpfs/a.x", Failed, "    testscript.go:1: of a\n    --- PASS: is not a result\n"},
		{"tmpfs/b", Skipped, "    testscript.go:2: why\n"},
		{"tmpfs/c", Unending, "    testscript.go:3: of c\n[   12.3] Kernel panic - not syncing\n"},
	}
	if len(got) != len(want) {
		t.Fatalf("got %q", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %q, want %q", got[i], want[i])
		}
	}
}

func TestAFilesystemThatIsMissingIsASkipOfItsOwn(t *testing.T) {
	got := Leaves(Parse("=== RUN   TestScenarios/ebpf/xfs\n    the kernel has no xfs\n--- SKIP: TestScenarios/ebpf/xfs (0.00s)\n"), "TestScenarios/ebpf/")
	if len(got) != 1 || got[0].Name != "xfs" || got[0].Verdict != Skipped {
		t.Errorf("got %q", got)
	}
}
