// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// flavour is how a program hangs on its function.
type flavour string

const (
	// lsmFlavour: an LSM program. The kernel never skips it.
	lsmFlavour flavour = "lsm"
	// fentryFlavour: a program on a trampoline. The kernel skips it while a task
	// that was preempted inside it holds the CPU's guard (trampoline.c,
	// __bpf_prog_enter_recur), so it is for kernels that do not preempt.
	fentryFlavour flavour = "fentry"
	// kprobeFlavour: a probe. Slower, and not skipped.
	kprobeFlavour flavour = "kprobe"
)

// traits are what the choice of flavours depends on.
type traits struct {
	lsm         bool   // the bpf LSM is on
	preemptible bool   // kernel code can be preempted
	because     string // how that was told
}

// readTraits reads them from the running kernel.
func readTraits() traits {
	t := traits{lsm: bpfInLSMs()}
	t.preemptible, t.because = preemptible()
	return t
}

func bpfInLSMs() bool {
	list, err := os.ReadFile("/sys/kernel/security/lsm")
	return err == nil && slices.Contains(strings.Split(strings.TrimSpace(string(list)), ","), "bpf")
}

// preemptible says whether the kernel may preempt a task in kernel code. Where
// it cannot be told the answer is yes, which costs time and loses nothing.
func preemptible() (bool, string) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return true, "uname: " + err.Error()
	}
	version := unix.ByteSliceToString(u.Version[:])
	if !strings.Contains(version, "PREEMPT") {
		return false, fmt.Sprintf("not built to preempt (%s)", version)
	}
	mode, err := os.ReadFile("/sys/kernel/debug/sched/preempt")
	if err != nil {
		return true, fmt.Sprintf("built to preempt (%s), mode not readable", version)
	}
	return modePreempts(string(mode)), "sched/preempt is " + strings.TrimSpace(string(mode))
}

// modePreempts reads the choice in parentheses, "none (voluntary) full".
// PREEMPT_LAZY preempts as well, at the next tick.
func modePreempts(list string) bool {
	return !strings.Contains(list, "(none)") && !strings.Contains(list, "(voluntary)")
}

// choose returns the flavour for a hook.
func (t traits) choose(h *hook, hasLSM bool) flavour {
	switch {
	case h.twin:
		return fentryFlavour
	case h.probe:
		return kprobeFlavour
	case t.lsm && h.lsm != "" && hasLSM:
		return lsmFlavour
	case !t.preemptible:
		return fentryFlavour
	default:
		return kprobeFlavour
	}
}

// programs returns the names of the programs that make up a hook.
func (h *hook) programs(f flavour) []string {
	switch {
	case h.twin:
		return []string{"fentry_twin_" + h.function, "fexit_twin_" + h.function}
	case f == lsmFlavour:
		return []string{"lsm_" + h.function}
	case f == fentryFlavour && h.when == atEntry:
		return []string{"fentry_" + h.function}
	case f == fentryFlavour && h.before:
		return []string{"fexit_" + h.function, "fentry_" + h.function}
	case f == fentryFlavour:
		return []string{"fexit_" + h.function}
	case h.when == atEntry:
		return []string{"kprobe_" + h.function}
	case h.when == atReturn:
		return []string{"kretprobe_" + h.function}
	default: // the return sees no arguments, the entry keeps them
		return []string{"kretprobe_" + h.function, "kprobe_" + h.function}
	}
}
