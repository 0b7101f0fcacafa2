// SPDX-License-Identifier: Apache-2.0

package host

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falco-fim/fim/event"
)

// falco returns the path of Falco itself, which no package registry has: FALCO,
// or what is on PATH.
func falco(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath(cmp.Or(os.Getenv("FALCO"), "falco"))
	if err != nil {
		t.Skip("no Falco: install it, or name it with FALCO=/path/to/falco")
	}
	return path
}

// TestFalcoAlertsOnAReplayWithTheShippedFiles runs Falco on the configuration
// and the rules that operators copy.
func TestFalcoAlertsOnAReplayWithTheShippedFiles(t *testing.T) {
	program := falco(t)
	dir := t.TempDir()
	replay := filepath.Join(dir, "events.jsonl")
	e := &event.Event{Op: event.OpClose, Time: 1, File: event.File{HostPath: []byte("/etc/passwd"), Inode: 7, Dev: 9}}
	writeFile(t, replay, string(event.AppendText(nil, e))+"\n")
	text, err := os.ReadFile(filepath.Join(Repo, "deploy", "falco.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "falco.yaml")
	writeFile(t, config, strings.NewReplacer(
		"library_path: libfim.so", "library_path: "+Plugin(t),
		`open_params: ""`, "open_params: file://"+replay,
	).Replace(string(text)))

	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	// Without --enable-source Falco would wait for system calls at the end.
	out, err := exec.CommandContext(ctx, program, "-c", config, "-r", filepath.Join(Repo, "rules", "fim_rules.yaml"),
		"--enable-source", "fs", "-o", "stdout_output.enabled=true").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want := "Account file changed | op=close path=/etc/passwd old_path=<NA> inode=7 dev=9 "
	if strings.Count(string(out), want) != 1 {
		t.Errorf("want one %q in %s", want, out)
	}
}
