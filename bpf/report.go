// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"os"
	"slices"
	"strings"
)

// Choice tells, for people, how the flavours of the hooks are chosen on this
// kernel: a line for the security modules and one for preemption.
func Choice() []string {
	t := readTraits()
	list, err := os.ReadFile("/sys/kernel/security/lsm")
	modules := strings.TrimSpace(string(list))
	if err != nil {
		modules = err.Error()
	}
	lines := []string{"no bpf among the security modules (" + modules + "): no lsm programs"}
	if t.lsm {
		lines[0] = "bpf among the security modules (" + modules + "): security hooks are lsm programs"
	}
	other := "fentry and fexit"
	if t.preemptible {
		other = "kprobe and kretprobe"
	}
	return append(lines, t.because+": other hooks are "+other+" programs")
}

// TellsOfWrites says whether filesystems of this type call the functions that
// fim sees the changes of contents by. Of others it sees that a write was
// permitted, and reports it without an outcome.
// Overlayfs tells as its upper layer does.
func TellsOfWrites(fstype string) bool { return slices.Contains(tellsOfWrites, fstype) }
