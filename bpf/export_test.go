// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"os/exec"
	"testing"
)

// What tests in package bpf_test, which see the backend as its users do, borrow.

// MountActor is an actor whose steps may also change what is mounted.
func MountActor(steps ...string) *exec.Cmd { return actor("mounter", steps...) }

// Step writes one step.
func Step(words ...string) string { return step(words...) }

// Take takes a step in this process.
func Take(words ...string) error { return remount(words) }

// Equal compares lists of lines.
func Equal(t *testing.T, got, want []string) {
	t.Helper()
	equal(t, got, want)
}

// SkipWhereRefused skips a test before it does anything.
func SkipWhereRefused(t *testing.T) {
	t.Helper()
	skipWhereRefused(t)
}
