// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/test/host"
)

// scratch is a throw-away system for attacks: a mount and a process namespace
// of its own, whose root is an empty tmpfs that this file fills. So the paths of
// the rules can be attacked as they are, and the machine's own files are out of
// reach: they show read-only at /real.
type scratch struct {
	init *exec.Cmd // its process 1
}

// scratchRoot names, in the environment of process 1, where to build the root.
const scratchRoot = "FIM_TEST_SCRATCH_ROOT"

func TestMain(m *testing.M) {
	if root := os.Getenv(scratchRoot); root != "" {
		if err := beInit(root); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// newScratch makes the system; it lasts until the test ends.
func newScratch(t testing.TB) *scratch {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount and to watch")
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), scratchRoot+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close() // which it waits for
		cmd.Wait()
	})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		t.Fatalf("scratch system: %q, %v", line, err)
	}
	return &scratch{init: cmd}
}

// beInit is process 1: it builds the root, moves into it and waits for its
// standard input to end, which ends the system.
func beInit(root string) error {
	if err := buildRoot(root); err != nil {
		return err
	}
	if err := enter(root); err != nil {
		return err
	}
	if err := furnish(); err != nil {
		return err
	}
	signal.Ignore(syscall.SIGCHLD) // so that the kernel buries orphans
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	return nil
}

// buildRoot mounts the root and what of the machine it shows. The repository
// appears at its own path, since fim-host's libraries are named by theirs.
func buildRoot(root string) error {
	m := &mounter{}
	m.mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE)
	m.mount("tmpfs", root, "tmpfs", 0)
	for _, dir := range []string{"proc", "dev", "real", "tmp", "other", host.Repo} {
		m.mkdir(filepath.Join(root, dir))
	}
	m.mount("proc", root+"/proc", "proc", 0)
	m.mount("/dev", root+"/dev", "", unix.MS_BIND)
	m.mount("/", root+"/real", "", unix.MS_BIND)
	m.mount("", root+"/real", "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY)
	m.mount(host.Repo, root+host.Repo, "", unix.MS_BIND|unix.MS_REC)
	m.mount("", root+host.Repo, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY)
	m.mount("tmpfs", root+"/other", "tmpfs", 0)
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

// programs are copied to /usr/bin, so that rules which know them by their path
// meet them there; all else is run from /real.
var programs = []string{"sh", "bash", "cp", "mv", "install", "sed", "ln", "rm", "chmod", "touch", "mkdir", "cat"}

// impostors are programs of the rules' lists, which the machine may not have: each
// is perl by that path.
var impostors = []string{"/usr/bin/dpkg", "/usr/sbin/logrotate", "/usr/sbin/rsyslogd", "/usr/bin/falcoctl", "/usr/sbin/useradd"}

// furnish puts the files in place that attacks change.
func furnish() error {
	script := `set -e
mkdir -p /usr/bin /usr/sbin /usr/local/bin /usr/lib/riscv64-linux-gnu/security
for program in ` + strings.Join(programs, " ") + `; do cp /real/usr/bin/$program /usr/bin/; done
mkdir -p /etc/falco/rules.d /etc/pam.d /etc/sudoers.d /etc/ssh /etc/cron.d /etc/systemd/system /etc/profile.d \
  /etc/ld.so.conf.d /etc/modprobe.d /etc/apt/keyrings /etc/app /root/.ssh /home/user/.ssh /usr/share/falco/plugins \
  /usr/lib/modules/6 /usr/lib/systemd/system /usr/local/share/ca-certificates /var/log/audit /var/spool/cron/crontabs
for file in /etc/passwd /etc/shadow /etc/group /etc/hosts /etc/sudoers /etc/profile /etc/crontab /etc/pam.d/sshd \
  /etc/cron.d/job /etc/ssh/sshd_config /etc/falco/falco.yaml /etc/falco/rules.d/fim_rules.yaml /etc/app/config \
  /usr/share/falco/plugins/libfim.so /root/.ssh/authorized_keys /root/.bashrc /usr/local/bin/tool \
  /var/log/auth.log /var/log/auth.log.1 /var/log/wtmp /var/log/app.log /tmp/evil; do
	printf 'first line\nsecond line\n' >$file
done
`
	for _, path := range impostors {
		script += "cp /real/usr/bin/perl " + path + "\n"
	}
	if err := libraries(); err != nil {
		return err
	}
	cmd := exec.Command("/real/usr/bin/sh", "-c", script)
	cmd.Env = []string{"PATH=/real/usr/bin"}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("furnish the scratch system: %w: %s", err, out)
	}
	return nil
}

// libraries makes the machine's loader and libraries appear where programs look
// for them, without which not even a shell runs.
func libraries() error {
	if err := os.Mkdir("/usr", 0o755); err != nil {
		return err
	}
	if err := os.Mkdir("/usr/lib", 0o755); err != nil {
		return err
	}
	links := map[string]string{"/bin": "usr/bin", "/sbin": "usr/sbin", "/lib": "usr/lib", "/lib64": "real/usr/lib64"}
	dirs, err := filepath.Glob("/real/usr/lib/*-linux-gnu*")
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		links["/usr/lib/"+filepath.Base(dir)] = dir
	}
	for link, target := range links {
		if err := os.Symlink(target, link); err != nil {
			return err
		}
	}
	return nil
}

// in returns what runs a command in the system, put before its command line.
func (s *scratch) in() []string {
	return []string{"nsenter", "--target", strconv.Itoa(s.init.Process.Pid), "--mount", "--pid", "--root", "--wd=/", "--"}
}

// sh runs a command of the shell in the system.
func (s *scratch) sh(t testing.TB, command string) {
	t.Helper()
	args := append(s.in(), "/usr/bin/sh", "-c", command)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = []string{"PATH=/usr/bin:/usr/sbin:/real/usr/bin:/real/usr/sbin", "HOME=/root", "TERM=dumb", "LC_ALL=C"}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
}

func TestTheScratchSystemKeepsTheMachineOutOfReach(t *testing.T) {
	s := newScratch(t)
	s.sh(t, "echo mine >/etc/fim-scratch && test $(cat /etc/fim-scratch) = mine")
	if _, err := os.Stat("/etc/fim-scratch"); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the machine's own /etc was written: %v", err)
	}
	s.sh(t, "! touch /real/etc/fim-scratch 2>/dev/null")
	s.sh(t, "! touch "+host.Repo+"/fim-scratch 2>/dev/null")
	s.sh(t, "test -d /proc/1 && test $(cat /proc/1/comm) != systemd")
}

// as lets a program, which must be perl by another name, run a script in the
// system. It returns when the script is through, but the program lives on until
// release is called, so that who did it can be read from /proc at leisure.
func (s *scratch) as(t testing.TB, program, script string) (release func()) {
	t.Helper()
	const prelude = `$| = 1; sub put { open my $f, ">>", $_[0] or die "$_[0]: $!"; print $f "x\n"; close $f or die }`
	args := append(s.in(), program, "-e", prelude+script+" or die $!; print qq(done\n); <STDIN>")
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = []string{"LC_ALL=C"}
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "done\n" {
		t.Errorf("%s: %s: %q, %v", program, script, line, err)
	}
	return func() {
		stdin.Close()
		cmd.Wait()
	}
}
