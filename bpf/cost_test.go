// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"os"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/falco-fim/fim/event"
)

// What the verifier spends on each program; shown, not asserted: it differs by
// kernel.
func TestVerifierCost(t *testing.T) {
	if os.Getenv("FIM_MUST_ATTACH") == "" {
		t.Skip("SKIPPED: shows what the verifier of a kernel under test spends")
	}
	types, kernel, err := kernelTypes()
	if err != nil {
		t.Fatal(err)
	}
	all, err := plan(kernel, readTraits(), event.Ops(), true, hooks)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := loadTrampolines()
	if err != nil {
		t.Fatal(err)
	}
	if err := prepare(spec, all, sizes{4096, 16, 16, 4, 4}, constantsFor(Options{Ops: event.Ops(), Failed: true}, readTraits(), all, nil)); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	c, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Cache: types, Programs: ebpf.ProgramOptions{LogLevel: ebpf.LogLevelStats}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	t.Logf("loaded in %v", time.Since(began))
	for name, p := range c.Programs {
		t.Logf("%-40s %s", name, p.VerifierLog)
	}
}
