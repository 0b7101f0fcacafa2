// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestTheInitramfsIsWhatCpioReads(t *testing.T) {
	busybox, err := exec.LookPath(busyboxPath)
	if err != nil {
		t.Skip("needs busybox-static: run test/vm/setup.sh")
	}
	var a cpio
	a.dir("d")
	for i, name := range []string{"d/1", "d/22", "d/333", "d/4444"} {
		a.file(name, bytes.Repeat([]byte{'x'}, i))
	}
	dir := t.TempDir()
	cmd := exec.Command(busybox, "cpio", "-i")
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(a.end())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for i, name := range []string{"d/1", "d/22", "d/333", "d/4444"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || len(b) != i {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}
