// SPDX-License-Identifier: Apache-2.0

package gotest

import (
	"strings"
	"testing"

	"github.com/falco-fim/fim/test/vm"
)

// Tell repeats what a guest said of its tests, and how it ended: r and err are
// those of [vm.Cache.Run], console is what the guest printed.
func Tell(t *testing.T, results []Result, r vm.Result, err error, console string) {
	for _, one := range results {
		t.Run(one.Name, func(t *testing.T) { tell(t, one) })
	}
	switch {
	case err != nil:
		t.Error(err) // with the console's tail
	case len(results) == 0 || r.ExitCode != 0 && !t.Failed():
		t.Errorf("run.sh ended with %d, and %d tests:\n%s", r.ExitCode, len(results), console)
	}
}

// tell repeats the verdict of a test.
func tell(t *testing.T, r Result) {
	switch r.Verdict {
	case Passed:
	case Skipped:
		t.Skip(strings.TrimSpace(r.Output))
	case Failed:
		t.Errorf("in the guest:\n%s", r.Output)
	default:
		t.Errorf("did not end in the guest:\n%s", r.Output)
	}
}
