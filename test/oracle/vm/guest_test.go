// SPDX-License-Identifier: Apache-2.0

// Package vm holds the eBPF backend to account inside a virtual machine, with the
// test binary of test/oracle: the machine that tests run on usually refuses programs.
package vm

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/falco-fim/fim/test/vm"
	"github.com/falco-fim/fim/test/vm/gotest"
)

var (
	kernelFlag = flag.String("kernel", "6.12", "the kernel to run on")
	opsFlag    = flag.Int("ops", 2000, "how many operations to do")
	seedFlag   = flag.Uint64("seed", 0, "as of test/oracle")
	breakFlag  = flag.String("break", "", "as of test/oracle")
	fsFlag     = flag.String("fs", "tmpfs,ext4,btrfs,vfat,overlay-ext4", "as of test/oracle")
	limitFlag  = flag.Duration("limit", 10*time.Minute, "how long the guest may take")
)

// repository is the root of the checkout.
const repository = "../../.."

// The guest has one processor: see the package comment of test/scenario/vm.
const script = `for m in xfs btrfs vfat overlay loop; do modprobe $m; done
./oracle.test -test.v=test2json -test.run TestNothing -test.timeout 12h -fim ./fim -backend ebpf -patience 2m -tries 60 \
	-ops %d -seed %d -break "%s" -fs %s 2>&1
`

func TestNothingIsMissingExtraOrWrongOnAKernel(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a kernel, and downloads it first")
	}
	dir := t.TempDir()
	build(t, dir, "fim", "build", "./cmd/fim")
	build(t, dir, "oracle.test", "test", "-c", "./test/oracle")
	text := fmt.Sprintf(script, *opsFlag, *seedFlag, *breakFlag, *fsFlag)
	if err := os.WriteFile(filepath.Join(dir, "run.sh"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cache, err := vm.DefaultDir()
	if err != nil {
		t.Fatal(err)
	}
	var console bytes.Buffer
	r, err := (&vm.Cache{Dir: cache, Log: os.Stderr}).Run(t.Context(), vm.Options{
		Kernel: *kernelFlag, Payload: dir, Console: &console, SMP: 1, Timeout: *limitFlag,
	})
	results := gotest.Leaves(gotest.Parse(console.String()), "")
	for _, one := range results {
		t.Logf("%s\n%s", one.Name, one.Output)
	}
	gotest.Tell(t, results, r, err, console.String())
}

// build makes a program for a guest without libraries.
func build(t *testing.T, dir, name string, how ...string) {
	t.Helper()
	args := append([]string{how[0], "-trimpath", "-o", filepath.Join(dir, name)}, how[1:]...)
	cmd := exec.Command("go", args...)
	cmd.Dir = repository
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
}
