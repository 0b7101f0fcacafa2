// SPDX-License-Identifier: Apache-2.0

// Package stress_test drives libfim.so from a host written in C, in folder
// host, the way Falco does: it is the built library that is tested, through
// the plugin API's own header.
package stress_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/falco-fim/fim/event"
)

var update = flag.Bool("update", false, "rewrite the golden file")

// limit ends a host that hangs; beside virtual machines one takes minutes.
const limit = 15 * time.Minute

// many repetitions of the recorded events are some batches full.
const many = 100

// library and host are built once, by TestMain.
var library, host string

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := buildDir()
	if err != nil {
		log.Fatal(err)
	}
	library, host = filepath.Join(dir, "libfim.so"), filepath.Join(dir, "host")
	if err := build(); err != nil {
		log.Fatalf("the stress tests need cgo and gcc: %v", err)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// buildDir makes a folder inside the module. There the go command takes note of
// the files that tests look at, and so does not give a result from its cache
// that is older than the library.
func buildDir() (string, error) {
	parent, err := filepath.Abs("../../build")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	return os.MkdirTemp(parent, "stress-")
}

func build() error {
	include, err := sdk()
	if err != nil {
		return err
	}
	sources, err := filepath.Glob("host/*.c")
	if err != nil {
		return err
	}
	gcc := []string{"-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-pthread",
		"-I", include, "-o", host}
	for _, cmd := range []*exec.Cmd{
		exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-X main.version=1.2.3", "-o", library, "../../plugin"),
		exec.Command("gcc", append(append(gcc, sources...), "-ldl")...),
	} {
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", cmd, err, out)
		}
	}
	return nil
}

// sdk returns the folder of the plugin API's headers.
func sdk() (string, error) {
	const module = "github.com/falcosecurity/plugin-sdk-go"
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("find %s: %w", module, err)
	}
	return filepath.Join(strings.TrimSpace(string(dir)), "pkg/sdk"), nil
}

// command returns a host that runs a scenario.
func command(t *testing.T, scenario, config, params string, number int) *exec.Cmd {
	if _, err := os.Stat(library); err != nil { // see buildDir
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, host, library, scenario, config, params, strconv.Itoa(number))
	stderr := new(strings.Builder)
	cmd.Stderr = stderr
	t.Cleanup(func() {
		if text := stderr.String(); t.Failed() && text != "" {
			t.Logf("%s ends with:\n%s", scenario, text[max(0, len(text)-4096):])
		}
	})
	return cmd
}

// run runs a scenario to its end and returns what the host saw.
func run(t *testing.T, scenario, config, params string, number int) string {
	t.Helper()
	out, err := command(t, scenario, config, params, number).Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", scenario, err, out)
	}
	return string(out)
}

// seen returns the number that the host printed behind a name.
func seen(t *testing.T, out, name string) int {
	t.Helper()
	for line := range strings.Lines(out) {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.Atoi(strings.TrimSpace(text))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no %s in %q", name, out)
	return 0
}

// recorded writes the events of the golden payloads a number of times, and then
// the other lines, to a file, and returns the open parameters of its replay.
func recorded(t *testing.T, times int, others ...string) string {
	files, err := filepath.Glob("../../event/testdata/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	var golden strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		golden.Write(text)
	}
	all := strings.Repeat(golden.String(), times) + strings.Join(others, "")
	path := filepath.Join(t.TempDir(), "events.jsonl")
	if err := os.WriteFile(path, []byte(all), 0o644); err != nil {
		t.Fatal(err)
	}
	return "file://" + path
}

func TestAReplayArrivesInTheHostFieldByField(t *testing.T) {
	const golden = "testdata/replay.txt"
	got := run(t, "replay", "", recorded(t, 1, "this is no event\n"), 0)
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("changed; if that is meant, run go test ./test/stress -update\ngot\n%s\nwant\n%s", got, want)
	}
}

func TestAnEventThatIsTooLargeArrivesCutAndSaysSo(t *testing.T) {
	large := &event.Event{
		Op: event.OpModify, Time: 1, File: event.File{HostPath: []byte("/w/f"), Inode: 7},
		Proc: event.Process{Pid: 9, Argv: [][]byte{[]byte("sh"), bytes.Repeat([]byte("x"), 1<<20)}},
	}
	out := run(t, "replay", "", recorded(t, 0, string(event.AppendText(nil, large))+"\n"), 0)
	for _, want := range []string{"fs.truncated 1\n", "fs.host_path \"/w/f\"\n", "fs.inode 7\n", "fs.proc.pid 9\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %q", want, out)
		}
	}
	if strings.Contains(out, "fs.proc.args") {
		t.Errorf("arguments in %.200q", out)
	}
}

func TestPluginsComeAndGoBesideALiveOne(t *testing.T) {
	run(t, "churn", "{}", recorded(t, many), 3000)
}

func TestWrongConfigurationsHandlesAndPayloadsAreRefusedAndNeverCrash(t *testing.T) {
	seed := rand.IntN(1 << 31)
	t.Logf("seed %d", seed)
	run(t, "hostile", "{}", recorded(t, many), seed)
}

func TestOpenAndCloseLeaveNothingBehind(t *testing.T) {
	out := run(t, "reopen", "{}", recorded(t, many), 50)
	leftNothing(t, out)
}

// leftNothing allows for the threads that the Go runtime starts and keeps.
func leftNothing(t *testing.T, out string) {
	t.Helper()
	if n := seen(t, out, "fds"); n > 0 {
		t.Errorf("%d descriptors left", n)
	}
	if n := seen(t, out, "threads"); n > 3 {
		t.Errorf("%d threads left", n)
	}
}

func TestNoSignalHandlerRunsOnAGoroutinesStack(t *testing.T) {
	params := recorded(t, many)
	// Go itself ends some of these hosts: the handler finds the stack of a goroutine too
	// short, or the runtime finds its own overrun.
	var aborted *exec.ExitError
	out, err := command(t, "unprotected", "{}", params, 20000).Output()
	if err != nil && !errors.As(err, &aborted) {
		t.Fatal(err)
	}
	if err == nil && seen(t, string(out), "foreign") == 0 {
		t.Errorf("handlers without SA_ONSTACK were always on a good stack, so this test finds nothing: %s", out)
	}
	protected := run(t, "signals", "{}", params, 20000)
	if n := seen(t, protected, "foreign"); n > 0 {
		t.Errorf("%d of %d handlers", n, seen(t, protected, "handled"))
	}
}
