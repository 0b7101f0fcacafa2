// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/falco-fim/fim/test/scenario"
	"github.com/falco-fim/fim/test/vm"
	"github.com/falco-fim/fim/test/vm/gotest"
)

var (
	kernelFlag   = flag.String("kernel", "", "the kernel to run on; all when empty")
	scriptsFlag  = flag.String("scripts", "", "regular expression of the whole names of scripts; those of the plan when empty")
	programsFlag = flag.Bool("programs", false, "run all tests of the package bpf, in guests with two processors")
	wholeFlag    = flag.Bool("whole", false, "every script on every kernel")
	allFlag      = flag.Bool("all", false, "every script on every kernel, and on each filesystem that it may differ on")
	limitFlag    = flag.Duration("limit", time.Hour, "how long a guest may take")
)

// repository is the root of the checkout.
const repository = "../../.."

// programs are what a guest needs, and how each is built.
var programs = map[string][]string{
	"fim":           {"build", "./cmd/fim"},
	"fim-deaf":      {"build", "-tags=fim_deaf", "./cmd/fim"},
	"actor":         {"build", "./test/actor"},
	"scenario.test": {"test", "-c", "./test/scenario"},
	"bpf.test":      {"test", "-c", "./bpf"},
}

// prefix stands in front of FILESYSTEM/SCRIPT in the guest.
const prefix = "TestScenarios/ebpf/"

// payload builds the programs, for guests without a Go toolchain or libraries.
func payload(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("boots kernels, and downloads them first")
	}
	dir := t.TempDir()
	for name, how := range programs {
		args := append([]string{how[0], "-trimpath", "-o", filepath.Join(dir, name)}, how[1:]...)
		cmd := exec.Command("go", args...)
		cmd.Dir = repository
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", cmd, err, out)
		}
	}
	return dir
}

// places are the emulated processors that may be busy at a time: guests wait for grace
// periods half of the time, and with more of them beside each other all become slow.
var places = semaphore.NewWeighted(2 * int64(runtime.NumCPU()))

// boot runs a script beside the programs of dir on a kernel, as soon as there is a place,
// and returns what the guest printed. An exit code other than 0 is not an error here.
func boot(ctx context.Context, kernel string, processors int, dir, script string) (string, vm.Result, error) {
	if err := places.Acquire(ctx, int64(processors)); err != nil {
		return "", vm.Result{}, err
	}
	defer places.Release(int64(processors))
	own, err := os.MkdirTemp(dir, "guest") // guests beside each other have their scripts
	if err != nil {
		return "", vm.Result{}, err
	}
	defer os.RemoveAll(own)
	for name := range programs {
		if err := os.Link(filepath.Join(dir, name), filepath.Join(own, name)); err != nil {
			return "", vm.Result{}, err
		}
	}
	if err := os.WriteFile(filepath.Join(own, "run.sh"), []byte(script), 0o644); err != nil {
		return "", vm.Result{}, err
	}
	cache, err := vm.DefaultDir()
	if err != nil {
		return "", vm.Result{}, err
	}
	var console bytes.Buffer
	r, err := (&vm.Cache{Dir: cache, Log: os.Stderr}).Run(ctx, vm.Options{
		Kernel: kernel, Payload: own, Console: &console, SMP: processors, Timeout: *limitFlag,
	})
	return console.String(), r, err
}

// prepare returns the plan that the flags ask for, all scripts, and the directory of the
// programs.
func prepare(t *testing.T, names string) (plan []guest, scripts []scenario.Script, dir string) {
	t.Helper()
	plan, err := choose(asked(), *kernelFlag, names)
	if err != nil {
		t.Fatal(err)
	}
	if scripts, err = scenario.Scripts(); err != nil {
		t.Fatal(err)
	}
	return plan, scripts, payload(t)
}

func TestScenariosOnKernels(t *testing.T) {
	t.Parallel()
	plan, scripts, dir := prepare(t, *scriptsFlag)
	var all matrix
	t.Cleanup(func() { show(t, &all) }) // when the guests have ended
	for _, k := range plan {
		t.Run(k.kernel, func(t *testing.T) {
			t.Parallel()
			for g := range bootAll(t.Context(), k.parts(scripts, share), dir) {
				all.add(k.kernel, g.results)
				gotest.Tell(t, g.results, g.end, g.err, g.console)
				for _, name := range g.missing(scripts) {
					t.Errorf("%s did not run", name)
				}
			}
		})
	}
}

func asked() extent {
	switch {
	case *allFlag:
		return all
	case *wholeFlag:
		return whole
	}
	return each
}

// ended is a guest that has run.
type ended struct {
	guest
	results []gotest.Result
	end     vm.Result
	err     error
	console string
}

// bootAll boots guests and hands them out as they end.
func bootAll(ctx context.Context, guests []guest, dir string) <-chan ended {
	all := make(chan ended)
	var running sync.WaitGroup
	for _, g := range guests {
		running.Go(func() {
			text, end, err := boot(ctx, g.kernel, 1, dir, g.script())
			all <- ended{g, gotest.Leaves(gotest.Parse(text), prefix), end, err, text}
		})
	}
	go func() { running.Wait(); close(all) }()
	return all
}

// missing returns the scripts of the guest that there is no result of.
func (g ended) missing(scripts []scenario.Script) (missing []string) {
	told := map[string]bool{}
	for _, r := range g.results {
		told[r.Name] = strings.Contains(r.Name, "/") || r.Verdict == gotest.Skipped
	}
	for _, r := range g.runs {
		for _, s := range r.of(scripts) {
			if name := r.filesystem + "/" + s.Name; !told[name] && !told[r.filesystem] {
				missing = append(missing, name)
			}
		}
	}
	return missing
}

// show leaves the matrix where the Makefile finds it.
func show(t *testing.T, m *matrix) {
	t.Logf("\n%s", m)
	file := filepath.Join(repository, "build", "scenarios.txt")
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(m.String()), 0o644)); err != nil {
		t.Error(err)
	}
}

// The control run: once fim is ready, the kernel no longer calls what is
// attached to its functions. A script that passed would prove nothing. Linux 5.10 goes on
// calling trampolines and says that tracing is busy; since it is the scripts that are on trial,
// another kernel will do.
func TestScriptsFailWithoutThePrograms(t *testing.T) {
	kernel := "6.12"
	if *kernelFlag != "" && *kernelFlag != "5.10" {
		kernel = *kernelFlag
	}
	t.Parallel()
	const script = `./scenario.test -test.v=test2json -detach -deaf -fim ./fim -fim-deaf ./fim-deaf -actor ./actor -backend ebpf -patience 2m \
	-test.run 'TestEveryScriptThatWatchesFailsOnADeafBackend/^(create-empty|rename-inside|unlink-file|write-pwrite\.pwrite)$' 2>&1
`
	text, r, err := boot(t.Context(), kernel, 1, payload(t), script)
	if err != nil || r.ExitCode != 0 || strings.Count(text, "--- PASS: TestEveryScriptThatWatchesFailsOnADeafBackend/") != 4 {
		t.Errorf("want four scripts that fail for want of events; exit code %d, error %v:\n%s", r.ExitCode, err, text)
	}
}

// The tests of the package bpf, which the machine that tests run on usually skips. They
// need two processors, and attach before they make load. Every change runs only that
// which says whether the kernel takes the programs in the flavours that scripts do not run.
func TestProgramsOnKernels(t *testing.T) {
	t.Parallel()
	plan, err := choose(each, *kernelFlag, "")
	if err != nil {
		t.Fatal(err)
	}
	processors, tests := 1, "^TestEveryFlavourIsAccepted/^(fentry|kprobe)$"
	if *programsFlag {
		processors, tests = 2, ""
	}
	script := fmt.Sprintf("FIM_MUST_ATTACH=1 ./bpf.test -test.v=test2json -test.timeout 30m -test.run '%s' 2>&1\n", tests)
	dir := payload(t)
	for _, g := range plan {
		t.Run(g.kernel, func(t *testing.T) {
			t.Parallel()
			text, r, err := boot(t.Context(), g.kernel, processors, dir, script)
			gotest.Tell(t, gotest.Leaves(gotest.Parse(text), ""), r, err, text)
		})
	}
}
