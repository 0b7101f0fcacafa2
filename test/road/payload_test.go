// SPDX-License-Identifier: Apache-2.0

package road

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falco-fim/fim/test/host"
)

// pack makes the directory that the guest gets: the host with its own loader
// and libraries, the plugin, the deaf plugin, the rules, the script.
func pack(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	program := host.Binary(t)
	copyFile(t, program, filepath.Join(dir, "fim-host"))
	copyFile(t, host.Plugin(t), filepath.Join(dir, "libfim.so"))
	copyFile(t, filepath.Join("testdata", "run.sh"), filepath.Join(dir, "run.sh"))
	packLibraries(t, program, filepath.Join(dir, "lib"))
	buildDeaf(t, filepath.Join(dir, "deaf.so"))
	text, err := json.Marshal(rules)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "rules.json"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// packLibraries copies what the loader would load for program, and the loader
// itself as ld.so: those of the guest are of an older release.
func packLibraries(t *testing.T, program, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	list, err := exec.Command("ldd", program).Output() // NAME => PATH (ADDRESS)
	if err != nil {
		t.Fatal("list the libraries of fim-host: ", err)
	}
	for line := range strings.Lines(string(list)) {
		if _, path, ok := strings.Cut(line, " => "); ok {
			path, _, _ = strings.Cut(path, " (")
			copyFile(t, path, filepath.Join(dir, filepath.Base(path)))
		}
	}
	loaders, err := filepath.Glob(filepath.Join(host.Repo, ".cache", "host", "root", "usr", "lib", "*-linux-gnu*", "ld-linux*.so.*"))
	if err != nil || len(loaders) != 1 {
		t.Fatalf("loaders beside the libraries of fim-host: %q, %v", loaders, err)
	}
	copyFile(t, loaders[0], filepath.Join(dir, "ld.so"))
}

// buildDeaf builds the plugin that attaches and reads as the real one does, and
// of which no event comes out.
func buildDeaf(t *testing.T, to string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-tags", "fim_deaf", "-trimpath", "-buildmode=c-shared", "-o", to, "./plugin")
	cmd.Dir = host.Repo
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the deaf plugin: %v\n%s", err, out)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}
