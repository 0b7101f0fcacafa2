// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/watch"
)

// The programs ignore what their own process does, so the test binary runs
// itself as the actor.
func TestMain(m *testing.M) {
	if actor := actors[os.Getenv("FIM_TEST_ACTOR")]; actor != nil {
		runtime.LockOSThread() // root directory and mount namespace are a thread's
		if err := actor(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// actors are the processes that tests start, by name.
var actors = map[string]func(args []string) error{
	"steps": func(steps []string) error {
		for _, step := range steps {
			if err := act(strings.Split(step, "\x1f")); err != nil {
				return fmt.Errorf("%q: %w", step, err)
			}
		}
		return nil
	},
}

// act takes one step: a verb and its operands.
func act(s []string) error {
	switch s[0] {
	case "create", "write", "append", "truncating":
		flags := map[string]int{
			"create": unix.O_CREAT | unix.O_EXCL | unix.O_WRONLY, "write": unix.O_WRONLY,
			"append": unix.O_WRONLY | unix.O_APPEND, "truncating": unix.O_WRONLY | unix.O_TRUNC,
		}[s[0]]
		fd, err := unix.Open(s[1], flags, 0o644)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		for range len(s) - 2 {
			if _, err := unix.Write(fd, []byte(s[2])); err != nil {
				return err
			}
		}
		return nil
	case "read":
		_, err := os.ReadFile(s[1])
		return err
	case "truncate":
		return unix.Truncate(s[1], 0)
	case "unlink":
		return unix.Unlink(s[1])
	case "rename":
		return unix.Rename(s[1], s[2])
	case "exchange":
		return unix.Renameat2(unix.AT_FDCWD, s[1], unix.AT_FDCWD, s[2], unix.RENAME_EXCHANGE)
	case "mkdir":
		return unix.Mkdir(s[1], 0o755)
	case "rmdir":
		return unix.Rmdir(s[1])
	case "link":
		return unix.Link(s[1], s[2])
	case "symlink":
		return unix.Symlink(s[1], s[2])
	case "mkfifo":
		return unix.Mkfifo(s[1], 0o600)
	case "mknod":
		return unix.Mknod(s[1], unix.S_IFREG|0o600, 0)
	case "tmpfile":
		fd, err := unix.Open(s[1], unix.O_TMPFILE|unix.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), unix.AT_FDCWD, s[2], unix.AT_SYMLINK_FOLLOW)
	case "chmod":
		return unix.Chmod(s[1], 0o751)
	case "chown": // of a symbolic link itself
		return unix.Lchown(s[1], 1, 2)
	case "utimes":
		return unix.UtimesNano(s[1], []unix.Timespec{{Sec: 1}, {Sec: 2}})
	case "touch":
		return unix.UtimesNanoAt(unix.AT_FDCWD, s[1], nil, 0)
	case "mtime": // alone
		return unix.UtimesNanoAt(unix.AT_FDCWD, s[1], []unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Sec: 3}}, 0)
	case "setuid":
		return unix.Chmod(s[1], 0o4755)
	case "setxattr":
		return unix.Setxattr(s[1], "trusted.fim", []byte("x"), 0)
	case "removexattr":
		return unix.Removexattr(s[1], "trusted.fim")
	case "setacl":
		return unix.Setxattr(s[1], "system.posix_acl_access", aclForUser1, 0)
	case "removeacl":
		return unix.Removexattr(s[1], "system.posix_acl_access")
	case "drop": // the privilege to write without set-id bits being stripped
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var sets [2]unix.CapUserData
		if err := unix.Capget(&header, &sets[0]); err != nil {
			return err
		}
		sets[0].Effective &^= 1 << unix.CAP_FSETID
		return unix.Capset(&header, &sets[0])
	case "chroot":
		return errors.Join(unix.Chroot(s[1]), unix.Chdir("/"))
	case "bind": // in a mount namespace of its own
		return errors.Join(unix.Unshare(unix.CLONE_NEWNS|unix.CLONE_FS), unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
			unix.Mount(s[1], s[2], "", unix.MS_BIND, ""))
	case "forbid": // itself to make directories; see landlock(7)
		return errors.Join(unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), restrict(unix.LANDLOCK_ACCESS_FS_MAKE_DIR))
	case "refused": // a step that must fail
		if err := act(s[1:]); err == nil {
			return errors.New("was not refused")
		}
		return nil
	}
	return errors.New("no such step")
}

// restrict lets this thread do none of what access names, anywhere.
func restrict(access uint64) error {
	rules := unix.LandlockRulesetAttr{Handled_access_fs: access}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&rules)), unsafe.Sizeof(rules.Handled_access_fs), 0)
	if errno == 0 {
		_, _, errno = unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0)
	}
	if errno != 0 {
		return fmt.Errorf("landlock: %w", errno)
	}
	return nil
}

// aclForUser1 is an access ACL as acl(5) and linux/posix_acl_xattr.h have it:
// version 2; owner rw-, user 1 r--, group r--, mask r--, others r--.
var aclForUser1 = []byte("\x02\x00\x00\x00" +
	"\x01\x00\x06\x00\xff\xff\xff\xff" + "\x02\x00\x04\x00\x01\x00\x00\x00" +
	"\x04\x00\x04\x00\xff\xff\xff\xff" + "\x10\x00\x04\x00\xff\xff\xff\xff" + "\x20\x00\x04\x00\xff\xff\xff\xff")

// actor returns a command that runs an actor of this binary.
func actor(name string, args ...string) *exec.Cmd {
	c := exec.Command("/proc/self/exe", args...)
	c.Env = append(os.Environ(), "FIM_TEST_ACTOR="+name)
	c.Stderr = os.Stderr
	return c
}

// step writes one step.
func step(words ...string) string { return strings.Join(words, "\x1f") }

// hostMounts are the mounts of this process's namespace.
func hostMounts(t testing.TB) ([]Mount, func([]Place, uint64, uint64, []byte, bool) []Place) {
	infos, err := mountinfo.GetMounts(nil)
	if err != nil {
		t.Fatal(err)
	}
	var mounts []Mount
	for _, m := range infos {
		mounts = append(mounts, Mount{Dev: unix.Mkdev(uint32(m.Major), uint32(m.Minor)), Root: m.Root, Point: m.Mountpoint, FSType: m.FSType})
	}
	return mounts, func(dst []Place, _, dev uint64, inFS []byte, _ bool) []Place {
		for i, m := range mounts {
			if m.Dev != dev {
				continue
			}
			root := strings.TrimSuffix(m.Root, "/")
			rest, ok := bytes.CutPrefix(inFS, []byte(root))
			if !ok || len(rest) > 0 && rest[0] != '/' {
				continue
			}
			host := []byte(strings.TrimSuffix(m.Point, "/") + strings.TrimSuffix(string(rest), "/"))
			if len(host) == 0 {
				host = []byte("/")
			}
			dst = append(dst, Place{host, []byte(m.Point), []byte(infos[i].FSType)})
		}
		return dst
	}
}

// flavoursUnderTest are the flavours that FIM_FLAVOUR forces: "kprobe" or
// "fentry"; without it the kernel's own traits decide.
func flavoursUnderTest(o *Options) {
	switch os.Getenv("FIM_FLAVOUR") {
	case "kprobe":
		o.flavours, o.force = traits{preemptible: true, because: "forced"}, true
	case "fentry":
		o.flavours, o.force = traits{because: "forced"}, true
	}
}

// openBackend opens a backend, or skips where the kernel refuses programs,
// unless FIM_MUST_ATTACH says that it must not.
func openBackend(t testing.TB, ops []event.Op, patterns ...string) *Backend {
	t.Helper()
	return openSized(t, 32*1024, ops, patterns...)
}

// openSized is openBackend with a ring of so many KiB.
func openSized(t testing.TB, ringKiB int, ops []event.Op, patterns ...string) *Backend {
	t.Helper()
	return openWith(t, func(o *Options) { o.Ops, o.RingKiB = ops, ringKiB }, patterns...)
}

// openWith is openBackend with whatever else is set.
func openWith(t testing.TB, set func(*Options), patterns ...string) *Backend {
	t.Helper()
	var o watch.Options
	for _, p := range patterns {
		o.Include = append(o.Include, watch.Pattern{Glob: p, Name: p})
	}
	compiled, err := watch.Compile(o)
	if err != nil {
		t.Fatal(err)
	}
	mounts, place := hostMounts(t)
	opts := Options{Set: compiled, HostRoot: "/", Mounts: mounts, Place: place}
	flavoursUnderTest(&opts)
	set(&opts)
	began := time.Now()
	b, err := Open(opts)
	t.Logf("open took %v", time.Since(began))
	if errors.Is(err, ErrRefused) && os.Getenv("FIM_MUST_ATTACH") == "" {
		t.Skipf("SKIPPED, this kernel refuses the programs: %v", err)
	}
	var refused *ebpf.VerifierError
	if errors.As(err, &refused) {
		t.Logf("%+v", refused)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// drain reads until the event that says that the actor is done.
func drain(t testing.TB, b *Backend, last string) []*event.Event {
	t.Helper()
	var all []*event.Event
	deadline := time.Now().Add(3 * time.Minute)
	for {
		var e event.Event
		if err := b.Next(&e, deadline); err != nil {
			t.Fatalf("after %d events: %v; the one for %s never came\n%s", len(all), err, last, strings.Join(lines(all, ""), "\n"))
		}
		if e.Op == event.OpMkdir && string(e.File.HostPath) == last {
			return all
		}
		all = append(all, e.Clone())
	}
}

// lines writes events down for comparison, paths relative to dir.
func lines(all []*event.Event, dir string) []string {
	rel := func(b []byte) string { return strings.TrimPrefix(strings.TrimPrefix(string(b), dir), "/") }
	var out []string
	for _, e := range all {
		s := e.Op.String() + " " + rel(e.File.HostPath)
		if e.Old.HostPath != nil {
			s += " from " + rel(e.Old.HostPath)
		}
		if e.File.LinkTarget != nil {
			s += " -> " + string(e.File.LinkTarget)
		}
		if e.Op == event.OpClose {
			s += fmt.Sprintf(" %d -> %d", e.Old.Size.V, e.File.Size.V)
		}
		out = append(out, s)
	}
	return out
}

// places are the directories that tests work in, one per filesystem under test.
func places(t *testing.T) []string {
	dirs := []string{t.TempDir()}
	if more := os.Getenv("FIM_TEST_DIRS"); more != "" {
		for _, d := range strings.Split(more, ":") {
			d, err := os.MkdirTemp(d, "fim")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(d) })
			dirs = append(dirs, d)
		}
	}
	return dirs
}

// run lets an actor take steps and returns what the backend saw of them.
func observe(t *testing.T, b *Backend, end string, steps ...string) []*event.Event {
	t.Helper()
	if out, err := actor("steps", append(steps, step("mkdir", end))...).Output(); err != nil {
		t.Fatalf("the actor failed: %v %s", err, out)
	}
	return drain(t, b, end)
}

func equal(t *testing.T, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func makeDir(t testing.TB, path ...string) string {
	t.Helper()
	dir := filepath.Join(path...)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
