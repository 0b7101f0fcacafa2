// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
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

// inGuest returns the tests that attack for real, or do what is none, each with
// its rows where it has a table. In a guest they do so on eBPF.
func inGuest() map[string][]string {
	var rules, calm, pretended []string
	for _, a := range attacks {
		rules = append(rules, a.rule)
	}
	for _, a := range noise {
		calm = append(calm, a.name)
	}
	for _, p := range pretenders {
		pretended = append(pretended, p.name)
	}
	return map[string][]string{
		"TestEachRuleAlertsOnceOnItsAttackAndNotOnALookAlike": rules,
		"TestAFloodThatOverflowsTheKernelsQueueAlerts":        nil,
		"TestAnEditorsSaveAlertsOnce":                         nil,
		"TestNoiseRaisesTheAlertsThatAreNamedAndNoOther":      calm,
		"TestAnAttackAmongTheNoiseAlerts":                     nil,
		"TestWhoMerelyLooksTrustedAlerts":                     pretended,
		"TestWhoIsGoneIsNotTrusted":                           nil,
		"TestARuntimeIsTrustedWithImagesAndNotInAContainer":   nil,
	}
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
cp programs/themselves/* /usr/bin/
[ ! -e /usr/bin/logrotate ] || mv /usr/bin/logrotate /usr/sbin/
ln -sf git /usr/bin/git-upload-pack
export FIM_TEST_PACKED=$PWD
cd rules
exec ./rules.test -test.v=test2json -backend ebpf -test.run '^(%s)$' 2>&1
`, strings.Join(slices.Collect(maps.Keys(inGuest())), "|"))
	if err := os.WriteFile(filepath.Join(dir, "run.sh"), []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// bring puts programs into the payload that attacks run and the guest's system
// lacks, with scripts in programs/bin that run them by their names. Where this
// machine lacks one too, the test that wants it says so. Those that rules know by
// their path come as they are: the guest has the libraries that they need.
func bring(t *testing.T, dir string) {
	t.Helper()
	themselves := filepath.Join(dir, "programs", "themselves")
	if err := os.MkdirAll(themselves, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/usr/bin/git", "/usr/sbin/logrotate"} {
		if _, err := os.Stat(path); err == nil {
			host.CopyFile(t, path, filepath.Join(themselves, filepath.Base(path)))
		}
	}
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
	var wanted []string
	for test, rows := range inGuest() {
		if rows == nil {
			wanted = append(wanted, test)
		}
		for _, row := range rows {
			wanted = append(wanted, test+"/"+strings.ReplaceAll(row, " ", "_"))
		}
	}
	slices.Sort(wanted)
	for _, name := range wanted {
		if !told[name] {
			names = append(names, name)
		}
	}
	return names
}
