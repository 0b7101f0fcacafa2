// SPDX-License-Identifier: Apache-2.0

package process

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

// nest runs a shell below depth others; the innermost prints its number and waits.
// "exit" keeps each from becoming the next.
func nest(t *testing.T, depth int) (pid int) {
	t.Helper()
	dir := t.TempDir()
	script := filepath.Join(dir, "nest")
	put(t, script, `if [ "$1" -gt 0 ]; then /bin/sh "$0" $(($1 - 1)) "$2"; exit $?; fi; echo $$; read line`)
	cmd := exec.Command("/bin/sh", script, strconv.Itoa(depth), "a b")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err = strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func pidfdOf(t testing.TB, pid int) int {
	t.Helper()
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Skipf("SKIPPED: no pidfds on this kernel (needs Linux 5.3): %v", err)
	}
	t.Cleanup(func() { unix.Close(pidfd) })
	return pidfd
}

func TestTheProcessesAboveAreToldTheParentFirst(t *testing.T) {
	pid := nest(t, 2)
	var p event.Process
	New("/proc").Fill(pid, pidfdOf(t, pid), &p)
	if n := len(p.AncestorPids); n < 3 || n > event.MaxAncestors || len(p.AncestorComms) != n || len(p.AncestorExes) != n {
		t.Fatalf("%d, %q, %q", p.AncestorPids, p.AncestorComms, p.AncestorExes)
	}
	if p.AncestorPids[2] != uint64(os.Getpid()) || event.Known(p.AncestorPids[0]) != p.Ppid {
		t.Errorf("got %d: the third is not this process, %d, or the first not the parent, %v", p.AncestorPids, os.Getpid(), p.Ppid)
	}
	sh, _ := filepath.EvalSymlinks("/bin/sh")
	self, _ := os.Executable()
	for i, want := range []string{sh, sh, self} {
		if string(p.AncestorExes[i]) != want {
			t.Errorf("%d: got %q, want %q", i, p.AncestorExes[i], want)
		}
	}
	if string(p.AncestorComms[0]) != "sh" || len(p.ParentArgv) != 4 || string(p.ParentArgv[2]) != "1" || string(p.ParentArgv[3]) != "a b" {
		t.Errorf("parent %q, %q", p.AncestorComms[0], p.ParentArgv)
	}
	if last := p.AncestorPids[len(p.AncestorPids)-1]; len(p.AncestorPids) < event.MaxAncestors && last != 1 {
		t.Errorf("ends at %d: %d", last, p.AncestorPids)
	}
}

func TestNoMoreThanEightAreTold(t *testing.T) {
	pid := nest(t, 12)
	var p event.Process
	New("/proc").Fill(pid, pidfdOf(t, pid), &p)
	if len(p.AncestorPids) != event.MaxAncestors || fmt.Sprintf("%s", p.AncestorComms) != "[sh sh sh sh sh sh sh sh]" {
		t.Errorf("got %d, %s", p.AncestorPids, p.AncestorComms)
	}
}

func TestTheFirstProcessHasNoneAbove(t *testing.T) {
	var p event.Process
	New("/proc").Fill(1, pidfdOf(t, 1), &p)
	if len(p.AncestorPids) != 0 || p.ParentArgv != nil {
		t.Errorf("got %d", p.AncestorPids)
	}
}

// A number that another process took over is no parent: ours stands for it.
func TestAParentThatIsNotTheParentEndsTheList(t *testing.T) {
	pid := nest(t, 0)
	r := New("/proc")
	dir, err := r.open(pid)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(dir)
	st, ok := r.stat(dir)
	if !ok {
		t.Fatal("gone")
	}
	for name, other := range map[string]stat{
		"one that started in the same tick": {ppid: uint64(pid), start: st.start},
		"one that started later":            {ppid: uint64(pid), start: st.start - 1},
		"none":                              {ppid: 1 << 30, start: st.start},
	} {
		var rec record
		r.ancestors(dir, other, &rec)
		if len(rec.who.AncestorPids) != 0 || rec.who.ParentArgv != nil {
			t.Errorf("%s: got %+v", name, rec.who)
		}
	}
}

func TestNoDescriptorIsLeftOpen(t *testing.T) {
	pid := nest(t, 3)
	pidfd := pidfdOf(t, pid)
	r := New("/proc")
	count := func() int {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(fds)
	}
	before := count()
	var p event.Process
	for range 20 {
		r.Fill(pid, pidfd, &p)
		r.Complete(pid, 0, bootNow(), &p)
	}
	if after := count(); after != before {
		t.Errorf("%d before, %d after", before, after)
	}
}
