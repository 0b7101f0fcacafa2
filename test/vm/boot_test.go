// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// guestCache is the checkout's own cache: a kernel is downloaded once, not once
// a test.
func guestCache(t *testing.T) *Cache {
	t.Helper()
	if testing.Short() {
		t.Skip("boots kernels, and downloads them first (as root, after test/vm/setup.sh)")
	}
	dir, err := DefaultDir()
	if err != nil {
		t.Fatal(err)
	}
	return &Cache{Dir: dir, Log: os.Stderr}
}

// guest runs a script in a kernel of its own and returns what was printed. The
// tests run beside each other, which shows that guests do not disturb theirs.
func guest(t *testing.T, c *Cache, o Options, script string) (Result, string, error) {
	t.Helper()
	t.Parallel()
	o.Payload = t.TempDir()
	if err := os.WriteFile(filepath.Join(o.Payload, "run.sh"), []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	if o.Out == "" {
		o.Out = t.TempDir()
	}
	var console bytes.Buffer
	o.Console = &console
	r, err := c.Run(context.Background(), o)
	return r, console.String(), err
}

func TestEveryKernelBootsAndIsTheOneAskedFor(t *testing.T) {
	c := guestCache(t)
	for _, k := range Kernels {
		t.Run(k.Name, func(t *testing.T) {
			out := t.TempDir()
			r, console, err := guest(t, c, Options{Kernel: k.Name, Out: out}, `
				set -e
				uname -r >out/release
				test -s /sys/kernel/btf/vmlinux
				cat /sys/kernel/security/lsm >out/lsm
				for m in overlay btrfs xfs vfat loop; do modprobe $m; done
				for d in /sys/fs/bpf /sys/kernel/debug /sys/kernel/tracing /sys/fs/cgroup /dev/pts /dev/shm /tmp; do
					mountpoint -q $d
				done
				test "$HOME" = /root`)
			if err != nil || r.ExitCode != 0 {
				t.Fatalf("exit code %d, error %v, console:\n%s", r.ExitCode, err, console)
			}
			release := result(t, out, "release")
			if release != r.Image.Release || !strings.HasPrefix(release, k.Name+".") {
				t.Errorf("asked for %s, the cache says %s, the guest runs %s", k.Name, r.Image.Release, release)
			}
			// Debian put bpf into the default list after 5.10.
			lsm := strings.Split(result(t, out, "lsm"), ",")
			if got, want := slices.Contains(lsm, "bpf"), k.Name != "5.10"; got != want {
				t.Errorf("bpf among the security modules %v: %v, want %v", lsm, got, want)
			}
			t.Logf("%s: run.sh started %v after the kernel", release, r.Boot)
		})
	}
}

func result(t *testing.T, out, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(out, name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func TestTheExitCodeIsThatOfTheScript(t *testing.T) {
	c := guestCache(t)
	for name, tc := range map[string]struct {
		script string
		want   int
	}{
		"success":             {"true", 0},
		"failure":             {"exit 3", 3},
		"the runner's own":    {"exit 125", 125},
		"killed":              {"kill -KILL $$", 137},
		"answers of its own":  {"echo exit 0 >/dev/ttyS1; exit 4", 4},
		"results unreadable":  {"chmod 0 out; exit 5", 5},
		"a job is left over":  {"sleep 1000 & exit 6", 6},
		"the folder is moved": {"mv out elsewhere; mkdir out; exit 7", 7},
	} {
		t.Run(name, func(t *testing.T) {
			r, console, err := guest(t, c, Options{Kernel: "6.12"}, tc.script)
			if err != nil || r.ExitCode != tc.want {
				t.Fatalf("exit code %d, error %v, want %d; console:\n%s", r.ExitCode, err, tc.want, console)
			}
		})
	}
}

func TestAGuestThatDoesNotAnswerIsAFailureThatSaysWhy(t *testing.T) {
	c := guestCache(t)
	for name, tc := range map[string]struct {
		script string
		want   error
		tail   string
	}{
		"panic":         {"echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger", ErrPanic, "Kernel panic - not syncing"},
		"early end":     {"echo leaving; /run/vm/busybox poweroff -f", ErrSilent, "leaving"},
		"hang":          {"echo hanging; sleep 1000", ErrTimeout, ""},
		"a false panic": {"echo 'Kernel panic - not syncing'; /run/vm/busybox poweroff -f", ErrSilent, "panic"},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{Kernel: "6.12"}
			if tc.want == ErrTimeout {
				o.Timeout = 20 * time.Second
			}
			_, _, err := guest(t, c, o, tc.script)
			if !errors.Is(err, tc.want) {
				t.Fatalf("error %v, want %v", err, tc.want)
			}
			if !strings.Contains(err.Error(), tc.tail) {
				t.Errorf("the error does not quote the console (%q): %v", tc.tail, err)
			}
		})
	}
}

// What panics before the payload begins says nothing about the payload; what panics
// later is the payload's, and must not be tried until it does not.
func TestOnlyAKernelThatPanicsBeforeThePayloadBootsOnceMore(t *testing.T) {
	for name, tc := range map[string]struct {
		append, script string
		boots          int
	}{
		"before": {append: "rdinit=/nowhere", boots: 2},
		"after":  {script: "echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger", boots: 1},
	} {
		t.Run(name, func(t *testing.T) {
			c := guestCache(t)
			var log bytes.Buffer
			c.Log = &log
			_, console, err := guest(t, c, Options{Kernel: "6.12", Append: tc.append}, tc.script)
			if !errors.Is(err, ErrPanic) {
				t.Fatalf("error %v, want %v", err, ErrPanic)
			}
			if panics := strings.Count(console, "Kernel panic - not syncing"); panics != tc.boots {
				t.Errorf("%d panics, want %d; console:\n%s", panics, tc.boots, console)
			}
			if told := strings.Count(log.String(), "boots again"); told != tc.boots-1 {
				t.Errorf("told %d times that it boots again, want %d: %s", told, tc.boots-1, &log)
			}
		})
	}
}

func TestTheCommandLineReachesTheKernel(t *testing.T) {
	c := guestCache(t)
	_, console, err := guest(t, c, Options{Kernel: "6.12", Append: "lsm=landlock,bpf"}, "cat /sys/kernel/security/lsm")
	if err != nil || !strings.Contains(console, "landlock,bpf") || strings.Contains(console, "apparmor") {
		t.Fatalf("error %v, console:\n%s", err, console)
	}
}

func TestEverythingPrintedArrivesBeforeTheMachineIsOff(t *testing.T) {
	c := guestCache(t)
	_, console, err := guest(t, c, Options{Kernel: "6.12"}, `seq 1 20000; printf 'the end'`)
	if err != nil || !strings.Contains(console, "\n19999\n20000\nthe end") {
		t.Fatalf("error %v, console ends with %q", err, lastLines(console, 5))
	}
}

func TestResultsComeBackUnderTheirNames(t *testing.T) {
	c := guestCache(t)
	out := t.TempDir()
	const hostile = "a b\nc\x1b[2J\xff;$(reboot)"
	_, console, err := guest(t, c, Options{Kernel: "6.12", Out: out}, `mkdir -p out/sub; printf content >"out/sub/$(printf 'a b\nc\033[2J\377;$(reboot)')"`)
	if err != nil {
		t.Fatalf("%v; console:\n%s", err, console)
	}
	if got := result(t, filepath.Join(out, "sub"), hostile); got != "content" {
		t.Errorf("content %q", got)
	}
}
