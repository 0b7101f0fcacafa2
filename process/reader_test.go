// SPDX-License-Identifier: Apache-2.0

package process

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

// child runs program, which must print a line when it is ready and wait for its
// input to end, and returns its pid and pidfd.
func child(t *testing.T, dir string, attr *syscall.SysProcAttr, program ...string) (pid, pidfd int, kill func()) {
	t.Helper()
	cmd := exec.Command(program[0], program[1:]...)
	cmd.Dir, cmd.SysProcAttr, cmd.Stderr = dir, attr, os.Stderr
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
	kill = func() { _ = in.Close(); _ = cmd.Wait() }
	t.Cleanup(kill)
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("%q did not get ready: %v", program, err)
	}
	pidfd, err = unix.PidfdOpen(cmd.Process.Pid, 0)
	if err != nil {
		t.Skipf("SKIPPED: no pidfds on this kernel (needs Linux 5.3): %v", err)
	}
	t.Cleanup(func() { unix.Close(pidfd) })
	return cmd.Process.Pid, pidfd, kill
}

// copyShell copies the shell to path, which gives a program of any name.
func copyShell(t *testing.T, path string) {
	t.Helper()
	program, err := os.ReadFile("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, program, 0o755); err != nil {
		t.Fatal(err)
	}
}

const ready = "echo ready; read line"

func TestARunningProcessIsDescribedInFull(t *testing.T) {
	dir := t.TempDir()
	before := time.Now().Add(-time.Minute)
	pid, pidfd, _ := child(t, dir, nil, "/bin/sh", "-c", ready, "\xff bad", "")
	var p event.Process
	New("/proc").Fill(pid, pidfd, &p)
	exe, _ := filepath.EvalSymlinks("/bin/sh")
	if p.Pid != uint64(pid) || p.Ppid != event.Known(uint64(os.Getpid())) || p.Tid != 0 {
		t.Errorf("pid %d, ppid %v, tid %d", p.Pid, p.Ppid, p.Tid)
	}
	if string(p.Comm) != "sh" || string(p.Exe) != exe || string(p.Cwd) != dir {
		t.Errorf("comm %q, exe %q, cwd %q", p.Comm, p.Exe, p.Cwd)
	}
	if got := fmt.Sprintf("%q", p.Argv); got != fmt.Sprintf("%q", []string{"/bin/sh", "-c", ready, "\xff bad", ""}) {
		t.Errorf("argv %s", got)
	}
	if p.UID != event.Known(uint64(os.Geteuid())) || p.GID != event.Known(uint64(os.Getegid())) {
		t.Errorf("uid %v, gid %v", p.UID, p.GID)
	}
	if p.RUID != event.Known(uint64(os.Getuid())) || p.RGID != event.Known(uint64(os.Getgid())) || p.Vpid != event.Known(uint64(pid)) {
		t.Errorf("real uid %v, gid %v, vpid %v", p.RUID, p.RGID, p.Vpid)
	}
	if session, _ := unix.Getsid(pid); p.SID != (event.Uint{V: uint64(session), Known: session != 0}) || !p.TTY.Known {
		t.Errorf("session %v, terminal %v, want %d", p.SID, p.TTY, session)
	}
	if p.HostMntNS != event.KnownBool(true) || linkOf(t, "mnt") != p.MntNS || linkOf(t, "pid") != p.PidNS {
		t.Errorf("namespaces %v, %v, of the host: %v", p.MntNS, p.PidNS, p.HostMntNS)
	}
	if own, err := os.ReadFile("/proc/self/cgroup"); err != nil || string(p.Cgroup) != string(cgroupPath(own)) {
		t.Errorf("control group %q, want that of %q", p.Cgroup, own)
	}
	if p.Start < uint64(before.UnixNano()) || p.Start > uint64(time.Now().Add(time.Minute).UnixNano()) {
		t.Errorf("start %v", time.Unix(0, int64(p.Start)))
	}
}

// linkOf returns our own namespace.
func linkOf(t *testing.T, kind string) (n event.Uint) {
	t.Helper()
	text, err := os.Readlink("/proc/self/ns/" + kind)
	if _, err := fmt.Sscanf(text, kind+":[%d]", &n.V); err != nil {
		t.Fatal(err)
	}
	n.Known = err == nil
	return n
}

func TestAProcessInNamespacesOfItsOwnIsToldAsTheHostSeesIt(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: needs root to make namespaces")
	}
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER, Setsid: true,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 70_000, Size: 1000}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 80_000, Size: 1000}},
		Credential:  &syscall.Credential{Uid: 7, Gid: 8, NoSetGroups: true}}
	pid, pidfd, _ := child(t, "/", attr, "/bin/sh", "-c", ready)
	var p event.Process
	New("/proc").Fill(pid, pidfd, &p)
	if p.Pid != uint64(pid) || p.Vpid != event.Known(1) || p.SID != event.Known(uint64(pid)) {
		t.Errorf("pid %d, vpid %v, session %v", p.Pid, p.Vpid, p.SID)
	}
	if p.UID != event.Known(70_007) || p.GID != event.Known(80_008) || p.RUID != p.UID || p.RGID != p.GID {
		t.Errorf("uid %v, gid %v", p.UID, p.GID)
	}
	if p.HostMntNS != event.KnownBool(false) || !p.MntNS.Known || !p.PidNS.Known || p.PidNS == linkOf(t, "pid") {
		t.Errorf("namespaces %v, %v, of the host: %v", p.MntNS, p.PidNS, p.HostMntNS)
	}
}

func TestOnlyThePidIsKeptWithoutProof(t *testing.T) {
	pid, pidfd, kill := child(t, "/", nil, "/bin/sh", "-c", ready)
	r := New("/proc")
	var p event.Process
	for name, c := range map[string]struct{ pid, pidfd int }{
		"no pidfd":                    {pid, -1},
		"no process of this number":   {1 << 30, pidfd},
		"not in our pid namespace":    {0, pidfd},
		"a descriptor that is closed": {pid, 1 << 20},
	} {
		p = event.Process{Comm: []byte("stale")}
		r.Fill(c.pid, c.pidfd, &p)
		if p.Pid != uint64(c.pid) || p.Comm != nil || p.Exe != nil || p.UID.Known {
			t.Errorf("%s: got %+v", name, p)
		}
	}
	kill()
	// The number may be anybody's now: ours stands for it.
	r.Fill(os.Getpid(), pidfd, &p)
	if p.Pid != uint64(os.Getpid()) || p.Comm != nil {
		t.Errorf("process gone: got %+v", p)
	}
}

func TestAZombieStillHasItsName(t *testing.T) {
	cmd := exec.Command("/bin/true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pidfd, err := unix.PidfdOpen(cmd.Process.Pid, 0)
	if err != nil {
		t.Skipf("SKIPPED: no pidfds: %v", err)
	}
	defer unix.Close(pidfd)
	defer cmd.Wait()
	_, _ = unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, 10_000)
	var p event.Process
	New("/proc").Fill(cmd.Process.Pid, pidfd, &p)
	if string(p.Comm) != "true" || p.Exe != nil || len(p.Argv) != 0 {
		t.Errorf("got %+v", p)
	}
}

func TestTheDeletedMarkIsTakenOffOnlyWhereTheKernelPutIt(t *testing.T) {
	for name, prepare := range map[string]func(exe string) (want string){
		"plain":                   func(exe string) string { return exe },
		"gone":                    func(exe string) string { _ = os.Remove(exe); return exe },
		"really called (deleted)": func(exe string) string { return exe },
		"called so, gone (deleted)": func(exe string) string {
			_ = os.Remove(exe)
			return exe
		},
		"gone, linked elsewhere": func(exe string) string {
			_ = os.Link(exe, exe+".other")
			_ = os.Remove(exe)
			return exe
		},
		"gone, another took the marked name": func(exe string) string {
			_ = os.Remove(exe)
			_ = os.WriteFile(exe+" (deleted)", nil, 0o644)
			return exe
		},
	} {
		t.Run(name, func(t *testing.T) {
			exe := filepath.Join(t.TempDir(), name)
			copyShell(t, exe)
			pid, pidfd, _ := child(t, "/", nil, exe, "-c", ready)
			want := prepare(exe)
			var p event.Process
			New("/proc").Fill(pid, pidfd, &p)
			if string(p.Exe) != want {
				t.Errorf("got %q, want %q", p.Exe, want)
			}
		})
	}
}

func TestAHostileProcessNameForgesNothing(t *testing.T) {
	for _, name := range []string{"a) S 1 (b", "x\nUid:\t7\t7", "\xff\xfe", "«ñ»"} {
		exe := filepath.Join(t.TempDir(), name)
		copyShell(t, exe)
		pid, pidfd, _ := child(t, "/", nil, exe, "-c", ready)
		var p event.Process
		New("/proc").Fill(pid, pidfd, &p)
		comm := name[:min(len(name), 15)]
		if string(p.Comm) != comm || p.Ppid != event.Known(uint64(os.Getpid())) || p.UID != event.Known(uint64(os.Geteuid())) {
			t.Errorf("%q: got comm %q, ppid %v, uid %v", name, p.Comm, p.Ppid, p.UID)
		}
	}
}

func TestLongArgumentsAreCut(t *testing.T) {
	long := strings.Repeat("x", 3*MaxArgs)
	pid, pidfd, _ := child(t, "/", nil, "/bin/sh", "-c", ready, long)
	var p event.Process
	New("/proc").Fill(pid, pidfd, &p)
	if n := len(bytes.Join(p.Argv, []byte{0})); n != MaxArgs || len(p.Argv) != 4 || !p.ArgsCut {
		t.Errorf("got %d arguments, %d bytes, cut: %v", len(p.Argv), n, p.ArgsCut)
	}
	// With the NUL at its end it is just as long as what is kept.
	whole := strings.Repeat("x", MaxArgs-len("/bin/sh -c "+ready+"  "))
	pid, pidfd, _ = child(t, "/", nil, "/bin/sh", "-c", ready, whole)
	New("/proc").Fill(pid, pidfd, &p)
	if len(p.Argv) != 4 || string(p.Argv[3]) != whole || p.ArgsCut {
		t.Errorf("got %d arguments, cut: %v", len(p.Argv), p.ArgsCut)
	}
}

func TestTheTerminalIsToldByItsDevice(t *testing.T) {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("SKIPPED: no terminals here: %v", err)
	}
	defer master.Close()
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	cmd := exec.Command("/bin/sh", "-c", "read line")
	cmd.Stdin, cmd.SysProcAttr = slave, &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	var p event.Process
	New("/proc").Fill(cmd.Process.Pid, pidfdOf(t, cmd.Process.Pid), &p)
	const major = 136 // UNIX98_PTY_SLAVE_MAJOR
	if want := uint64(number&0xff | major<<8 | number>>8<<20); p.TTY != event.Known(want) {
		t.Errorf("terminal %v, want %d", p.TTY, want)
	}
}

func TestTheEffectiveUserOfAnotherProcessIsSeen(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: needs root to become another user")
	}
	attr := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65533}}
	pid, pidfd, _ := child(t, "/", attr, "/bin/sh", "-c", ready)
	var p event.Process
	New("/proc").Fill(pid, pidfd, &p)
	if p.UID != event.Known(65534) || p.GID != event.Known(65533) {
		t.Errorf("got uid %v, gid %v", p.UID, p.GID)
	}
}

func BenchmarkFill(b *testing.B) {
	pidfd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		b.Skip(err)
	}
	defer unix.Close(pidfd)
	r := New("/proc")
	var p event.Process
	b.ReportAllocs()
	for b.Loop() {
		r.Fill(os.Getpid(), pidfd, &p)
	}
}
