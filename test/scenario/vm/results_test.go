// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"testing"
)

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
	got := leaves(parse(console), prefix)
	want := []result{
		{"tmpfs/a.x", failed, "    testscript.go:1: of a\n    --- PASS: is not a result\n"},
		{"tmpfs/b", skipped, "    testscript.go:2: why\n"},
		{"tmpfs/c", unending, "    testscript.go:3: of c\n[   12.3] Kernel panic - not syncing\n"},
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
	got := leaves(parse("=== RUN   TestScenarios/ebpf/xfs\n    the kernel has no xfs\n--- SKIP: TestScenarios/ebpf/xfs (0.00s)\n"), prefix)
	if len(got) != 1 || got[0].name != "xfs" || got[0].verdict != skipped {
		t.Errorf("got %q", got)
	}
}

func TestTheMatrixHasARowPerScriptAndAColumnPerKernelAndFilesystem(t *testing.T) {
	var m matrix
	m.add("6.12", []result{{"tmpfs/a", passed, ""}, {"ext4/b", failed, ""}})
	m.add("5.10", []result{{"tmpfs/b", skipped, ""}, {"tmpfs/c", unending, ""}})
	const want = `script  5.10 tmpfs  6.12 tmpfs  6.12 ext4
a       .           ok          .
b       skip        .           FAIL
c       FAIL        .           .
`
	if got := m.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
