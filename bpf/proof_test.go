// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"flag"
	"os"
	"testing"

	"github.com/falco-fim/fim/event"
)

// full makes the tests that prove something by numbers use the numbers that
// are promised, which takes up to an hour under emulation.
var full = flag.Bool("full", false, "run races, attacks and trees at full size")

// scale is a number of the short run, or of the full one.
func scale(short, whole int) int {
	if *full {
		return whole
	}
	return short
}

// openAs is openSized with a flavour forced; "lsm" leaves it to the kernel's own
// traits.
func openAs(t *testing.T, flavour string, ringKiB int, ops []event.Op, patterns ...string) *Backend {
	t.Helper()
	t.Setenv("FIM_FLAVOUR", flavour)
	return openSized(t, ringKiB, ops, patterns...)
}

// skipWhereRefused skips a test that has much to prepare before it does, on
// kernels that are not under test and refuse programs.
func skipWhereRefused(t *testing.T) {
	t.Helper()
	if os.Getenv("FIM_MUST_ATTACH") == "" {
		openBackend(t, []event.Op{event.OpCreate}, t.TempDir())
	}
}
