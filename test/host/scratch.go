// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Scratch is a throw-away system: a mount and a process namespace of its own,
// whose root is a tmpfs. Paths can be attacked there as they are, and the
// machine's own files are out of reach: they show read-only at /real. The
// repository shows read-only at its own path, since fim-host names its libraries
// by theirs. /other is another filesystem.
//
// The programs of /real run there by their names; /bin, /sbin and /lib are links
// into /usr, as distributions have them.
type Scratch struct {
	init *exec.Cmd // its process 1
}

// inGuest says that the machine is a guest, for the eBPF backend. That tells
// process numbers as the kernel has them, so systems there have no process
// namespace of their own; and it needs /sys, to write to tracefs as well.
var inGuest = packed != ""

// scratchRoot names, in the environment of process 1, where to build the root.
const scratchRoot = "FIM_TEST_SCRATCH_ROOT"

// Main is for the TestMain of packages that call [NewScratch]: process 1 is the
// test binary, started once more.
func Main(m *testing.M) {
	root := os.Getenv(scratchRoot)
	if root == "" {
		os.Exit(m.Run())
	}
	if err := beInit(root); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// NewScratch makes a system, which lasts until the test ends.
func NewScratch(t testing.TB) *Scratch {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount and to watch")
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), scratchRoot+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if !inGuest {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWPID
	}
	stdin, stdout := start(t, cmd)
	t.Cleanup(func() {
		stdin.Close() // which it waits for
		cmd.Wait()
	})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		t.Fatalf("scratch system: %q, %v", line, err)
	}
	return &Scratch{init: cmd}
}

// start starts a command with pipes to its standard input and output.
func start(t testing.TB, cmd *exec.Cmd) (stdin io.WriteCloser, stdout io.Reader) {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err = cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return stdin, stdout
}

// beInit is process 1: it builds the root, moves into it and waits for its
// standard input to end, which ends the system with all that runs in it.
func beInit(root string) error {
	signal.Ignore(syscall.SIGCHLD) // so that the kernel buries orphans
	if err := buildRoot(root); err != nil {
		return err
	}
	if err := enter(root); err != nil {
		return err
	}
	if err := link(); err != nil {
		return err
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	return nil
}

// buildRoot mounts the root and what of the machine it shows.
func buildRoot(root string) error {
	m := &mounter{}
	m.mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE)
	m.mount("tmpfs", root, "tmpfs", 0)
	for _, dir := range []string{"proc", "sys", "dev", "real", "tmp", "other", "usr/bin", "usr/sbin", "usr/lib", Repo} {
		m.mkdir(filepath.Join(root, dir))
	}
	m.mount("proc", root+"/proc", "proc", 0)
	m.mount("/dev", root+"/dev", "", unix.MS_BIND)
	if inGuest {
		m.mount("/sys", root+"/sys", "", unix.MS_BIND|unix.MS_REC)
	}
	m.mount("tmpfs", root+"/other", "tmpfs", 0)
	m.readOnly("/", root+"/real")
	m.readOnly(Repo, root+Repo)
	return m.err
}

// mounter keeps the first error.
type mounter struct{ err error }

func (m *mounter) mount(source, target, fstype string, flags uintptr) {
	if m.err != nil {
		return
	}
	if err := unix.Mount(source, target, fstype, flags, ""); err != nil {
		m.err = fmt.Errorf("mount %s on %s: %w", source, target, err)
	}
}

// readOnly shows a directory, with all that is mounted below it, at another
// place. mount_setattr(2) alone can make such a tree read-only.
func (m *mounter) readOnly(dir, target string) {
	m.mount(dir, target, "", unix.MS_BIND|unix.MS_REC)
	if m.err != nil {
		return
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(unix.AT_FDCWD, target, unix.AT_RECURSIVE, &attr); err != nil {
		m.err = fmt.Errorf("make %s read-only: %w", target, err)
	}
}

func (m *mounter) mkdir(dir string) {
	if m.err == nil {
		m.err = os.MkdirAll(dir, 0o755)
	}
}

// enter makes root the root. Stacking both on one directory and dropping the
// lower one needs no place for the old root; see pivot_root(2).
func enter(root string) error {
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount the old root: %w", err)
	}
	return os.Chdir("/")
}

// link makes the shell, the loader and the libraries of the machine appear where
// programs look for them.
func link() error {
	links := map[string]string{
		"/bin": "usr/bin", "/sbin": "usr/sbin", "/lib": "usr/lib",
		"/lib64": "real/usr/lib64", "/usr/bin/sh": "/real/usr/bin/sh",
	}
	dirs, err := filepath.Glob("/real/usr/lib/*-linux-gnu*")
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		links["/usr/lib/"+filepath.Base(dir)] = dir
	}
	for path, target := range links {
		if err := os.Symlink(target, path); err != nil {
			return err
		}
	}
	return nil
}

// In returns what runs a command in the system, to put before its command line.
func (s *Scratch) In() []string {
	in := []string{"nsenter", "--target", strconv.Itoa(s.init.Process.Pid), "--mount", "--root", "--wd"}
	if !inGuest {
		in = append(in, "--pid")
	}
	return append(in, "--")
}

// Path returns the path by which this process finds a path of the system.
func (s *Scratch) Path(path string) string {
	return filepath.Join("/proc", strconv.Itoa(s.init.Process.Pid), "root", path)
}

// Command returns a command that runs in the system.
func (s *Scratch) Command(args ...string) *exec.Cmd {
	args = append(s.In(), args...)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = []string{"PATH=/usr/bin:/usr/sbin:/real/usr/bin:/real/usr/sbin", "HOME=/root", "LC_ALL=C"}
	return cmd
}

// Sh runs a command of the shell in the system.
func (s *Scratch) Sh(t testing.TB, command string) {
	t.Helper()
	if out, err := s.Command("/bin/sh", "-c", command).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
}

// Perl lets a program of the system that is perl, by whatever path, run a
// script. It returns when the script is through, but the program lives on until
// release is called, so that who did it can be read from /proc at leisure.
func (s *Scratch) Perl(t testing.TB, program, script string) (release func()) {
	t.Helper()
	cmd := s.Command(program, "-e", script+`; $| = 1; print "done\n"; <STDIN>`)
	cmd.Stderr = os.Stderr
	stdin, stdout := start(t, cmd)
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "done\n" {
		t.Errorf("%s: %s: %q, %v", program, script, line, err)
	}
	return func() {
		stdin.Close()
		cmd.Wait()
	}
}
