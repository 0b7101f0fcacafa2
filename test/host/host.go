// SPDX-License-Identifier: Apache-2.0

// Package host runs the plugin in real hosts: sysdig, and fim-host, a small C++
// program on libsinsp that treats rules as Falco does. It is for tests. Both
// are fetched and built on first use, below .cache in the repository.
package host

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
)

// packed is the directory that [Pack] filled, where the test runs in a guest.
var packed = os.Getenv(packedAt)

// Repo is the repository's root directory; in a guest, which has none, the
// directory that [Pack] filled.
var Repo = func() string {
	_, file, _, _ := runtime.Caller(0)
	return cmp.Or(packed, filepath.Join(filepath.Dir(file), "..", ".."))
}()

// Binary returns the path of fim-host. Where it can't be had, usually for want
// of a network, the test is skipped, and fails where CI is set.
func Binary(t testing.TB) string {
	t.Helper()
	if err := build(); err != nil {
		unavailable(t, err)
	}
	return filepath.Join(Repo, ".cache", "host", "bin", "fim-host")
}

// Sysdig returns the path of a script that runs sysdig. It is skipped or fails
// as [Binary] does.
func Sysdig(t testing.TB) string {
	t.Helper()
	if err := build(); err != nil {
		unavailable(t, err)
	}
	return filepath.Join(Repo, "test", "host", "sysdig.sh")
}

// Plugin builds libfim.so as `make` does and returns its path.
func Plugin(t testing.TB) string {
	t.Helper()
	if packed != "" {
		return filepath.Join(packed, packedPlugin)
	}
	if err := plugin(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(Repo, "build", "libfim.so")
}

func unavailable(t testing.TB, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("no libsinsp host: %v", err)
	}
	t.Skipf("SKIPPED, NOT TESTED: no libsinsp host: %v", err)
}

var build = sync.OnceValue(func() error {
	return command(filepath.Join(Repo, "test", "host", "build.sh"))
})

var plugin = sync.OnceValue(func() error {
	unlock, err := lock(filepath.Join(Repo, ".cache", "plugin.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	return command("make", "-s", "-C", Repo, "build/libfim.so")
})

func command(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, out)
	}
	return nil
}

// lock keeps two test binaries, which go test runs at once, from building the
// same file.
func lock(path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}
