// SPDX-License-Identifier: Apache-2.0

package road

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/falco-fim/fim/test/host"
)

// pack makes the directory that the guest gets: the host with its own loader
// and libraries, the plugin, the deaf plugin, the rules, the script.
func pack(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	host.Pack(t, dir)
	host.CopyFile(t, filepath.Join("testdata", "run.sh"), filepath.Join(dir, "run.sh"))
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
