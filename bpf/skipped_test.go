// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"fmt"
	"sync"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// guarded are programs on trampolines that count every call they see, with the
// function they hang on and the row that they count in.
var guarded = []struct {
	function, program string
	row               trampolinesHook
}{
	{"security_file_open", "fexit_security_file_open", trampolinesHookHOOK_OPEN},
	{"d_delete", "fentry_d_delete", trampolinesHookHOOK_UNLINK},
	{"d_move", "fentry_d_move", trampolinesHookHOOK_RENAME},
	{"vfs_mkdir", "fexit_vfs_mkdir", trampolinesHookHOOK_MKDIR},
	{"vfs_link", "fexit_vfs_link", trampolinesHookHOOK_LINK},
	{"vfs_symlink", "fexit_vfs_symlink", trampolinesHookHOOK_SYMLINK},
}

// The control of the attack: the flavour that the kernel does skip is forced.
// Calls counted by probes of the test's own, which nothing skips, are those
// that the programs saw plus those that the kernel says it skipped, to the last
// one; and each skipped one is told as lost.
func TestWhatTheGuardSkipsIsCounted(t *testing.T) {
	own := readTraits()
	rounds := scale(60, 1000)
	var calls []*ebpf.Map
	began := map[string][2]uint64{}
	b, n := underAttack(t, "fentry", "opens", rounds, func(b *Backend) {
		for _, g := range guarded {
			calls = append(calls, countCalls(t, g.function))
		}
		for i, g := range guarded {
			began[g.function] = [2]uint64{seenOrSkipped(t, b, i), callsOf(t, calls[i])}
		}
	})
	for i, g := range guarded {
		both, all := seenOrSkipped(t, b, i)-began[g.function][0], callsOf(t, calls[i])-began[g.function][1]
		if both != all {
			t.Errorf("%s: %d calls, %d seen or skipped", g.function, all, both)
		}
		t.Logf("PROOF skipped %s: %d calls, %d skipped", g.function, all, misses(t, b, g.program))
	}
	missing := n.missing(t, rounds*(busyThreads+1))
	if skipped := b.skipped(); n.skipped != skipped {
		t.Errorf("%d skipped, %d told as lost", skipped, n.skipped)
	}
	if *full && own.preemptible && (missing == 0 || n.skipped == 0) {
		t.Errorf("%d changes missing, %d calls skipped: the attack does not bite, so it proves nothing", missing, n.skipped)
	}
	if n.skipped == 0 && missing != 0 {
		t.Errorf("%d changes missing and nothing skipped", missing)
	}
	t.Logf("PROOF control fentry: %d of %d changes missing, %d calls skipped and told, preemptible %v", missing, rounds*(busyThreads+1)*len(changes), n.skipped, own.preemptible)
}

// someMap is a map of a program that has nothing to do with fim.
var someMap = sync.OnceValues(func() (*ebpf.Map, error) {
	return ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
})

// lookUp reads someMap.
func lookUp(string) error {
	m, err := someMap()
	if err != nil {
		return err
	}
	var value uint64
	return m.Lookup(uint32(0), &value)
}

// The kernel runs no kprobe program on a CPU where a task was preempted inside
// a map operation of bpf(2) (bpf_disable_instrumentation, kernel/bpf/syscall.c).
// Such a task needs privileges, and what it hides is told; before 6.7 the kernel
// does not count it.
func TestWhatOtherUsersOfMapsHideIsTold(t *testing.T) {
	if !*full {
		t.Skip("SKIPPED, only in the full run: few calls meet such a task")
	}
	const rounds = 1000
	b, n := underAttack(t, "kprobe", "maps", rounds, nil)
	missing := n.missing(t, rounds*(busyThreads+1))
	counted := countsSkippedProbes(t)
	if missing != 0 && n.skipped == 0 && counted {
		t.Errorf("%d changes missing and nothing told", missing)
	}
	if skipped := b.skipped(); n.skipped != skipped {
		t.Errorf("%d skipped, %d told as lost", skipped, n.skipped)
	}
	t.Logf("PROOF other users of maps, kprobe: %d of %d changes missing, %d calls skipped and told; the kernel counts them: %v", missing, rounds*(busyThreads+1)*len(changes), n.skipped, counted)
}

// countsSkippedProbes says whether the kernel is one that counts what
// trace_call_bpf skips: 6.7 and later.
func countsSkippedProbes(t *testing.T) bool {
	t.Helper()
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	var major, minor int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor); err != nil {
		t.Fatal(err)
	}
	return major > 6 || major == 6 && minor >= 7
}

// seenOrSkipped is what a guarded program saw and what the kernel says it did
// not let it see.
func seenOrSkipped(t *testing.T, b *Backend, i int) uint64 {
	t.Helper()
	return counters(b.objects, int(guarded[i].row)).Seen + misses(t, b, guarded[i].program)
}

func misses(t *testing.T, b *Backend, program string) uint64 {
	t.Helper()
	s, err := b.objects.program(program).Stats()
	if err != nil {
		t.Fatal(err)
	}
	return s.RecursionMisses
}

// countCalls counts the calls of a kernel function by a probe.
func countCalls(t *testing.T, function string) *ebpf.Map {
	t.Helper()
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		t.Fatal(err)
	}
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.Kprobe, License: "GPL", Instructions: asm.Instructions{
		asm.LoadMapValue(asm.R1, m.FD(), 0),
		asm.Mov.Imm(asm.R2, 1),
		asm.AddAtomic.Mem(asm.R1, asm.R2, asm.DWord, 0),
		asm.Mov.Imm(asm.R0, 0),
		asm.Return(),
	}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := link.Kprobe(function, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); p.Close(); m.Close() })
	return m
}

func callsOf(t *testing.T, m *ebpf.Map) (n uint64) {
	t.Helper()
	if err := m.Lookup(uint32(0), &n); err != nil {
		t.Fatal(err)
	}
	return n
}
