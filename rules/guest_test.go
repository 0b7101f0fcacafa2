// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/falco-fim/fim/test/host"
	"github.com/falco-fim/fim/test/vm"
	"github.com/falco-fim/fim/test/vm/gotest"
)

var kernel = flag.String("kernel", "6.12", "kernel of the guest: 6.1, 6.12 or 7.2; before, tmpfs has no flags")

// inGuest are the tests that attack for real. In a guest they do so on eBPF.
var inGuest = []string{
	"TestEachRuleAlertsOnceOnItsAttackAndNotOnALookAlike",
	"TestAFloodThatOverflowsTheKernelsQueueAlerts",
	"TestAnEditorsSaveAlertsOnce",
}

// TestInAGuest runs this test binary in a virtual machine with a stock kernel,
// where the plugin takes the eBPF backend.
func TestInAGuest(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a kernel, and downloads it first")
	}
	text, r, err := boot(t, guestPayload(t))
	results := gotest.Leaves(gotest.Parse(text), "")
	gotest.Tell(t, results, r, err, text)
	for _, name := range missing(results) {
		t.Errorf("%s did not run", name)
	}
}

// guestPayload makes the directory that the guest gets: a small checkout of what
// the tests read, the host, the plugin, and this test binary.
func guestPayload(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	host.Pack(t, dir)
	for _, file := range []string{"rules/fim_rules.yaml", "deploy/falco.yaml"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(file)), 0o755); err != nil {
			t.Fatal(err)
		}
		host.CopyFile(t, filepath.Join("..", file), filepath.Join(dir, file))
	}
	cmd := exec.Command("go", "test", "-c", "-trimpath", "-o", filepath.Join(dir, "rules", "rules.test"), ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	bring(t, dir)
	script := fmt.Sprintf(`cp programs/bin/* /usr/bin/
export FIM_TEST_PACKED=$PWD
cd rules
exec ./rules.test -test.v=test2json -backend ebpf -test.run '^(%s)$' 2>&1
`, strings.Join(inGuest, "|"))
	if err := os.WriteFile(filepath.Join(dir, "run.sh"), []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// bring puts programs into the payload that attacks run and the guest's system
// lacks, with scripts in programs/bin that run them by their names. Where this
// machine lacks one too, the test that wants it says so.
func bring(t *testing.T, dir string) {
	t.Helper()
	bin := filepath.Join(dir, "programs", "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	if path, ok := vim(); ok {
		found["vim"] = path
	}
	if path, err := exec.LookPath("rsync"); err == nil {
		found["rsync"] = path
	}
	for name, path := range found {
		host.PackProgram(t, path, filepath.Join(dir, "programs", name))
		script := fmt.Sprintf("#!/bin/sh\nd=/payload/programs/%s\nexec $d/lib/ld.so --library-path $d/lib $d/%s \"$@\"\n",
			name, filepath.Base(path))
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// boot runs a payload and returns what the guest printed. One processor, as for
// scripts: see package test/scenario/vm.
func boot(t *testing.T, payload string) (string, vm.Result, error) {
	t.Helper()
	dir, err := vm.DefaultDir()
	if err != nil {
		t.Fatal(err)
	}
	var console bytes.Buffer
	r, err := (&vm.Cache{Dir: dir, Log: os.Stderr}).Run(t.Context(), vm.Options{
		Kernel: *kernel, Payload: payload, Console: &console, SMP: 1, Timeout: 30 * time.Minute,
	})
	return console.String(), r, err
}

// missing returns the tests of the guest that there is no result of.
func missing(results []gotest.Result) (names []string) {
	told := map[string]bool{}
	for _, r := range results {
		told[r.Name] = true
	}
	wanted := slices.Clone(inGuest[1:])
	for _, a := range attacks {
		wanted = append(wanted, inGuest[0]+"/"+strings.ReplaceAll(a.rule, " ", "_"))
	}
	for _, name := range wanted {
		if !told[name] {
			names = append(names, name)
		}
	}
	return names
}
