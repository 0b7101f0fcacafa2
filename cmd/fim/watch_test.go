// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

// story is what the README shows.
const story = `echo x > a; mv a b; mkdir d; ln b d/h; rm b; mkdir end`

func TestEachChangeShowsUpWithItsFileAndItsProcess(t *testing.T) {
	dir := tmpfs(t)
	w := start(t, "watch", dir)
	shell(t, dir, story)
	got := w.until(event.OpMkdir, dir+"/end")
	if code := w.end(os.Interrupt); code != exitDone {
		t.Errorf("exit code %d\n%s", code, w.stderr)
	}
	var st unix.Stat_t
	if err := unix.Stat(dir+"/d/h", &st); err != nil {
		t.Fatal(err)
	}
	var ops []string
	for _, e := range got {
		ops = append(ops, e.Op.String())
		if e.File.Dev != st.Dev || e.File.Inode == 0 || e.Proc.Pid == 0 || e.Time == 0 || string(e.Watch) != dir {
			t.Errorf("incomplete: %s", event.AppendText(nil, e))
		}
		if e.File.Type != event.TypeDirectory && e.File.Inode != st.Ino {
			t.Errorf("inode %d, want %d: %s", e.File.Inode, st.Ino, event.AppendText(nil, e))
		}
	}
	if want := "create modify close rename mkdir link unlink mkdir"; strings.Join(ops, " ") != want {
		t.Fatalf("got %s, want %s", ops, want)
	}
	if r := got[3]; string(r.Old.HostPath) != dir+"/a" || string(r.File.HostPath) != dir+"/b" {
		t.Errorf("rename from %s to %s", r.Old.HostPath, r.File.HostPath)
	}
	checkSummary(t, w.stderr, map[string]int{"events": len(got), "events_rename": 1, "events_mkdir": 2, "lost": 0})
}

// checkSummary looks for the counters on standard error.
func checkSummary(t *testing.T, stderr string, want map[string]int) {
	t.Helper()
	for line := range strings.Lines(stderr) {
		var n int
		var name string
		if _, err := fmt.Sscan(line, &n, &name); err == nil && name != "" {
			if v, ok := want[name]; ok && v != n {
				t.Errorf("%s is %d, want %d", name, n, v)
			}
			delete(want, name)
		}
	}
	if len(want) > 0 {
		t.Errorf("no %v in the summary:\n%s", want, stderr)
	}
}

func TestWhatWasRecordedIsReplayedByteForByte(t *testing.T) {
	dir := tmpfs(t)
	w := start(t, "watch", "--format", "json", dir)
	hostile := "new\nline \x1b[31m \xff\xfe \"q\" \\"
	if err := os.WriteFile(filepath.Join(dir, hostile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	shell(t, dir, story)
	w.until(event.OpMkdir, dir+"/end")
	w.end(syscall.SIGTERM)
	file := filepath.Join(t.TempDir(), "events.jsonl")
	if err := os.WriteFile(file, w.raw.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"replay", file}, {"replay", "-"}} {
		out, errs, code := fim(t, w.raw.String(), args...)
		if out != w.raw.String() || errs != "" || code != exitDone {
			t.Errorf("%v: exit code %d, errors %q, output\n%s\nwant\n%s", args, code, errs, out, w.raw.String())
		}
	}
}

func TestTheFirstSignalEndsWithASummary(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		w := start(t, "watch", tmpfs(t))
		if code := w.end(sig); code != exitDone || !strings.Contains(w.stderr, "events delivered") {
			t.Errorf("%s: exit code %d\n%s", sig, code, w.stderr)
		}
	}
}

// A reader that does not read blocks the first signal's orderly end; the second
// must not need it.
func TestASecondSignalKills(t *testing.T) {
	dir := tmpfs(t)
	r, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w := &watching{t: t, cmd: exec.Command(program, "watch", dir), rest: make(chan string, 1), events: make(chan *event.Event)}
	close(w.events)
	w.cmd.Stdout = out
	w.startAndWait()
	out.Close()
	fill(t, dir, w.cmd.Process.Pid)
	done := make(chan int)
	go func() { done <- w.wait() }()
	for signals := 0; ; {
		select {
		case <-done:
			status := w.cmd.ProcessState.Sys().(syscall.WaitStatus)
			if signals < 2 || !status.Signaled() || status.Signal() != syscall.SIGINT {
				t.Errorf("after %d signals: %s", signals, w.cmd.ProcessState)
			}
			return
		default:
			// One may come in before the first was seen, so they go on.
			w.cmd.Process.Signal(os.Interrupt)
			signals++
			unix.Nanosleep(&unix.Timespec{Nsec: 50e6}, nil)
		}
	}
}

// fill makes changes until fim sleeps in a write to its full pipe.
func fill(t *testing.T, dir string, pid int) {
	t.Helper()
	for i := range 100_000 {
		if err := os.Mkdir(fmt.Sprintf("%s/%d", dir, i), 0o755); err != nil {
			t.Fatal(err)
		}
		if i%100 != 0 {
			continue
		}
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/wchan", pid))
		for _, file := range threads {
			if text, _ := os.ReadFile(file); strings.Contains(string(text), "pipe_write") {
				return
			}
		}
	}
	t.Fatal("fim never slept in a write")
}

func TestAReaderThatGoesAwayIsNoError(t *testing.T) {
	dir := tmpfs(t)
	r, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	w := &watching{t: t, cmd: exec.Command(program, "watch", dir), rest: make(chan string, 1), events: make(chan *event.Event)}
	close(w.events)
	w.cmd.Stdout = out
	w.startAndWait()
	out.Close()
	shell(t, dir, "mkdir a")
	if _, err := bufio.NewReader(r).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	r.Close()
	shell(t, dir, "mkdir b")
	if code := w.wait(); code != exitDone || strings.Contains(w.stderr, "pipe") {
		t.Errorf("exit code %d (%s)\n%s", code, w.cmd.ProcessState, w.stderr)
	}
}

func TestAnOutputFileInsideTheWatchIsWarnedOfAndDoesNotFeedItself(t *testing.T) {
	dir := tmpfs(t)
	file := dir + "/out.jsonl"
	w := start(t, "watch", "--output", file, dir)
	shell(t, dir, "mkdir a b c")
	for !strings.Contains(read(t, file), "/c") {
		unix.Nanosleep(&unix.Timespec{Nsec: 10e6}, nil)
	}
	shell(t, dir, "mkdir d") // after the first of its own writes
	for !strings.Contains(read(t, file), "/d") {
		unix.Nanosleep(&unix.Timespec{Nsec: 10e6}, nil)
	}
	code := w.end(os.Interrupt)
	if text := read(t, file); code != exitDone || strings.Count(text, "\n") != 4 || strings.Contains(text, "out.jsonl") {
		t.Errorf("exit code %d, output\n%s", code, text)
	}
	if !strings.Contains(w.stderr, "covers "+file) {
		t.Errorf("no warning:\n%s", w.stderr)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAPathIsWatchedFromTheMomentItAppears(t *testing.T) {
	dir := tmpfs(t)
	w := start(t, "watch", dir+"/later/deep")
	shell(t, dir, "mkdir later; mkdir later/deep later/other; echo x > later/deep/f; rm later/deep/f")
	for _, e := range w.until(event.OpUnlink, dir+"/later/deep/f") {
		if !strings.HasPrefix(string(e.File.HostPath), dir+"/later/deep") {
			t.Errorf("not watched: %s", event.AppendText(nil, e))
		}
	}
	w.end(os.Interrupt)
	if !strings.Contains(w.stderr, "does not exist yet") {
		t.Errorf("standard error:\n%s", w.stderr)
	}
}

func TestFlagsNarrowWhatIsReported(t *testing.T) {
	for name, args := range map[string][]string{
		"operations": {"--event", "mkdir,rmdir"},
		"excludes":   {"--exclude", "**/f", "--exclude", "d/deep"},
		"depth":      {"--recursive=false", "--event", "mkdir"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tmpfs(t)
			for i, arg := range args {
				if arg == "**/f" || arg == "d/deep" {
					args[i] = dir + "/" + arg
				}
			}
			w := start(t, append(slices.Concat([]string{"watch"}, args), dir)...)
			shell(t, dir, "echo x > f; mkdir d; mkdir d/deep; mkdir end")
			for _, e := range w.until(event.OpMkdir, dir+"/end") {
				p := string(e.File.HostPath)
				if strings.HasSuffix(p, "/f") || (name != "operations" && strings.HasSuffix(p, "/deep")) {
					t.Errorf("reported: %s", event.AppendText(nil, e))
				}
			}
			w.end(os.Interrupt)
		})
	}
}

func TestFiveThousandPathsAreWatched(t *testing.T) {
	dir := tmpfs(t)
	args := []string{"watch"}
	for i := range 5000 {
		args = append(args, fmt.Sprintf("%s/%d/x", dir, i))
	}
	w := start(t, args...)
	shell(t, dir, "mkdir 0 4321 7777; mkdir 7777/x 0/y; mkdir 4321/x")
	if e := w.next(); string(e.File.HostPath) != dir+"/4321/x" || string(e.Watch) != dir+"/4321/x" {
		t.Errorf("got %s", event.AppendText(nil, e))
	}
	w.end(os.Interrupt)
}

func TestWithoutPrivilegesTheErrorSaysWhatIsMissing(t *testing.T) {
	dir := tmpfs(t)
	cmd := exec.Command(program, "watch", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	cmd.Dir = "/"
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != exitFailed || !strings.Contains(string(out), "CAP_SYS_ADMIN") {
		t.Errorf("%v: %s", err, out)
	}
}
