// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

// inNamespace marks a test process that has mounts of its own.
const inNamespace = "FIM_TEST_MOUNTS"

// program is the fim that the tests run, built as a release is.
var program string

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

func TestMain(m *testing.M) {
	if os.Getuid() == 0 && os.Getenv(inNamespace) == "" {
		if err := ownMounts(); err != nil {
			fmt.Fprintln(os.Stderr, "own mount namespace:", err)
			os.Exit(1)
		}
	}
	os.Exit(runTests(m))
}

// ownMounts starts this process again in a mount namespace of its own, so that
// tests that run beside it see none of its mounts.
func ownMounts() error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	return unix.Exec("/proc/self/exe", os.Args, append(os.Environ(), inNamespace+"=1"))
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "fim-cmd-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "fim")
	build := exec.Command("go", "build", "-trimpath", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	// unprivileged runs of it must get there
	if err := errors.Join(err, os.Chmod(dir, 0o755)); err != nil {
		fmt.Fprintf(os.Stderr, "build fim: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// tmpfs mounts a filesystem for one test and returns where.
func tmpfs(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root, to mount and to watch")
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("fim-test", dir, "tmpfs", 0, "size=32m"); err != nil {
		t.Fatal("mount tmpfs: ", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error("unmount tmpfs, which something still uses: ", err)
		}
	})
	return dir
}

// watching is a fim that was started.
type watching struct {
	t      *testing.T
	cmd    *exec.Cmd
	events chan *event.Event // of its standard output
	raw    bytes.Buffer      // the same as text, complete when events is closed
	stderr string            // complete after wait
	rest   chan string
}

// start runs fim with args and returns when it says that it is watching.
func start(t *testing.T, args ...string) *watching {
	t.Helper()
	w := &watching{t: t, events: make(chan *event.Event, 1<<16), rest: make(chan string, 1)}
	w.cmd = exec.Command(program, args...)
	stdout, err := w.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	go w.readEvents(bufio.NewReader(stdout))
	w.startAndWait()
	return w
}

// startAndWait starts the command and waits for its word that it watches.
func (w *watching) startAndWait() {
	w.t.Helper()
	stderr, err := w.cmd.StderrPipe()
	if err == nil {
		err = w.cmd.Start()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	ready := make(chan struct{})
	go func() {
		var text strings.Builder
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			fmt.Fprintln(&text, lines.Text())
			if strings.HasPrefix(lines.Text(), "fim: watching ") {
				close(ready)
			}
		}
		w.rest <- text.String()
	}()
	select {
	case <-ready:
	case text := <-w.rest:
		w.t.Fatalf("fim ended: %v\n%s", w.cmd.Wait(), text)
	case <-time.After(patience):
		w.cmd.Process.Kill()
		w.t.Fatalf("fim is not watching after %s", patience)
	}
	w.t.Cleanup(func() { w.cmd.Process.Kill() })
}

func (w *watching) readEvents(r *bufio.Reader) {
	defer close(w.events)
	var d event.Decoder
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return
		}
		w.raw.Write(line)
		var e event.Event
		if err := d.Decode(bytes.TrimSuffix(line, []byte{'\n'}), &e); err != nil {
			w.t.Errorf("%q: %v", line, err)
			return
		}
		w.events <- e.Clone()
	}
}

// next returns the next event.
func (w *watching) next() *event.Event {
	w.t.Helper()
	select {
	case e, ok := <-w.events:
		if ok {
			return e
		}
		w.t.Fatal("fim ended its output")
	case <-time.After(patience):
		w.t.Fatal("no event came")
	}
	return nil
}

// until returns the events up to the one with that operation and path.
func (w *watching) until(op event.Op, path string) []*event.Event {
	w.t.Helper()
	var list []*event.Event
	for {
		e := w.next()
		if list = append(list, e); e.Op == op && string(e.File.HostPath) == path {
			return list
		}
	}
}

// end sends the signal and returns the exit code.
func (w *watching) end(sig os.Signal) int {
	w.t.Helper()
	if err := w.cmd.Process.Signal(sig); err != nil {
		w.t.Fatal(err)
	}
	return w.wait()
}

// wait waits for the end of fim and returns its exit code.
func (w *watching) wait() int {
	w.t.Helper()
	timer := time.AfterFunc(patience, func() { w.cmd.Process.Signal(syscall.SIGQUIT) }) // with all stacks
	defer timer.Stop()
	w.stderr = <-w.rest
	for range w.events {
	}
	if err := w.cmd.Wait(); err != nil && w.cmd.ProcessState == nil {
		w.t.Fatal(err)
	}
	return w.cmd.ProcessState.ExitCode()
}

// shell runs a script and returns when it is done.
func shell(t *testing.T, dir, script string) {
	t.Helper()
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// fim runs fim to its end.
func fim(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.Command(program, args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}
