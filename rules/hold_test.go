// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/test/host"
	"github.com/falco-fim/fim/test/terminal"
)

// held runs a command, types keys when it asks for them, and returns the alerts
// of the command and of all that it starts. No process of them ends before its
// events were read, as on a host whose reader keeps up, so what /proc tells of
// each does not hang on who is faster: the kernel stops it on its way out, while
// its program can still be asked for.
func (g *guard) held(t testing.TB, command, keys string) []host.Line {
	t.Helper()
	// What a thread starts and traces, no other may wait for.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	screen, keyboard, err := terminal.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	cmd := g.Command("/bin/sh", "-c", command)
	cmd.Env = append(cmd.Env, "TERM=vt100")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = keyboard, keyboard, keyboard
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true, Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Release()
	shown := make(chan []byte, 1)
	go func() {
		text, _ := io.ReadAll(screen) // EIO at the end
		shown <- text
	}()
	if keys != "" {
		go press(screen, keys)
	}
	tr := tracees{first: cmd.Process.Pid, live: map[int]bool{cmd.Process.Pid: true}}
	var alerts []host.Line
	tr.follow(t, func() { alerts = append(alerts, g.since(t)...) })
	keyboard.Close()
	if text := <-shown; tr.failed {
		t.Errorf("%s: failed: %s", command, text)
	}
	return append(alerts, g.since(t)...)
}

// press types keys as soon as a program reads single ones.
func press(screen *os.File, keys string) {
	for {
		ready, err := terminal.TakesKeys(screen)
		if err != nil {
			return // closed
		}
		if ready {
			screen.WriteString(keys)
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// tracees are processes under ptrace(2), and what they start.
type tracees struct {
	first  int
	live   map[int]bool // false: has ended
	traced bool         // the first is, with all that follows from it
	failed bool         // the first did
}

const traceAll = unix.PTRACE_O_EXITKILL | unix.PTRACE_O_TRACEEXIT | unix.PTRACE_O_TRACEEXEC |
	unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACECLONE

// follow lets them run to their end, and calls leaving when one is about to.
func (tr *tracees) follow(t testing.TB, leaving func()) {
	t.Helper()
	for slices.Contains(slices.Collect(maps.Values(tr.live)), true) {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WALL|unix.WNOTHREAD, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			t.Fatalf("wait for what is traced: %v", err)
		case status.Stopped():
			tr.stopped(t, pid, status, leaving)
		default:
			tr.live[pid] = false
			tr.failed = tr.failed || pid == tr.first && status != 0
		}
	}
}

// stopped lets a process go on.
func (tr *tracees) stopped(t testing.TB, pid int, status unix.WaitStatus, leaving func()) {
	t.Helper()
	tr.live[pid] = true
	if !tr.traced { // it has called execve(2)
		tr.traced = true
		if err := unix.PtraceSetOptions(pid, traceAll); err != nil {
			t.Fatalf("trace: %v", err)
		}
	}
	signal := 0
	switch cause := status.TrapCause(); cause {
	case unix.PTRACE_EVENT_EXIT:
		leaving()
	case unix.PTRACE_EVENT_FORK, unix.PTRACE_EVENT_VFORK, unix.PTRACE_EVENT_CLONE:
		child, err := unix.PtraceGetEventMsg(pid)
		if _, known := tr.live[int(child)]; err == nil && !known {
			tr.live[int(child)] = true // its first stop, by SIGSTOP, is still to come
		}
	case -1:
		if status.StopSignal() != unix.SIGSTOP {
			signal = int(status.StopSignal())
		}
	}
	// One that was killed meanwhile is gone: its end is told next.
	if err := unix.PtraceCont(pid, signal); err != nil && err != unix.ESRCH {
		t.Fatalf("let a traced process go on: %v", err)
	}
}
