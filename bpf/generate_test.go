// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What is committed is what the sources make: the test runs again what go:generate
// runs, into another directory.
func TestTheObjectsAreThoseOfTheSources(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if os.IsNotExist(err) {
		t.Skip("SKIPPED: the sources are not here, as in a guest")
	}
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for line := range strings.Lines(string(doc)) {
		if command, ok := strings.CutPrefix(line, "//go:generate go tool bpf2go "); ok {
			generate(t, dir, strings.Fields(command))
		}
	}
	made, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(made) != 8 { // an object and its Go file, of two kinds for two architectures
		t.Fatalf("made %q, %v", made, err)
	}
	for _, file := range made {
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Base(file)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the sources make: run go generate ./bpf and commit it (%v)", filepath.Base(file), err)
		}
	}
}

func generate(t *testing.T, dir string, args []string) {
	t.Helper()
	cmd := exec.Command("go", append([]string{"tool", "bpf2go", "-output-dir", dir, "-go-package", "bpf"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v (test/setup.sh installs the compiler)\n%s", cmd, err, out)
	}
}
