// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var (
	fimFlag     = flag.String("fim", "", "the fim program; built when empty")
	backendFlag = flag.String("backend", "fanotify", "the backend to hold to account")
	fsFlag      = flag.String("fs", "tmpfs,ext4,btrfs,vfat,overlay-ext4", "filesystems to act on, separated by commas; overlay-ext4 has its layers on ext4")
	opsFlag     = flag.Int("ops", 4000, "how many operations to do")
	stepsFlag   = flag.Int("steps", 400, "how many of them make an episode")
	seedFlag    = flag.Uint64("seed", 0, "the seed of the first episode, the next have the next ones; 0 takes one from the clock")
	breakFlag   = flag.String("break", "", "spoil what fim says: drop, dup, swapdev or stalepath")
	triesFlag   = flag.Int("tries", 300, "how often a failing episode is played to shorten it")
	patience    = flag.Duration("patience", 30*time.Second, "how long fim may take to tell a change")
)

// inNamespace marks a process that has mounts of its own.
const inNamespace = "FIM_ORACLE_NAMESPACE"

// base holds all that this run makes.
var base string

func TestMain(m *testing.M) {
	if worker, err := workIfAsked(); worker {
		exitIf(err)
		os.Exit(0)
	}
	flag.Parse()
	exitIf(ownNamespace())
	var err error
	base, err = os.MkdirTemp("", "fim-oracle-")
	exitIf(err)
	exitIf(errors.Join(os.Chmod(base, 0o755), build())) // others act there too
	code := m.Run()
	exitIf(unmountBelow(base)) // never remove through a mount
	exitIf(os.RemoveAll(base))
	os.Exit(code)
}

func exitIf(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "oracle:", err)
		os.Exit(1)
	}
}

// ownNamespace replaces this process by one with a private copy of the mount table.
func ownNamespace() error {
	if os.Getenv(inNamespace) != "" {
		return nil
	}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("a mount namespace of its own: run as root: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	return unix.Exec("/proc/self/exe", os.Args, append(os.Environ(), inNamespace+"=1"))
}

// build builds fim where none was given.
func build() (err error) {
	if *fimFlag != "" {
		*fimFlag, err = filepath.Abs(*fimFlag)
		return err
	}
	*fimFlag = filepath.Join(base, "fim")
	cmd := exec.Command("go", "build", "-trimpath", "-o", *fimFlag, "./cmd/fim")
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}

// available returns the wanted filesystems that this machine has, and tells what it lacks.
func available(t *testing.T) (have []string) {
	t.Helper()
	known, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(*fsFlag, ",") {
		if why := lacks(name, strings.Fields(string(known)), have); why != "" {
			t.Logf("without %s: %s", name, why)
			continue
		}
		have = append(have, name)
	}
	return have
}

// lacks returns why a filesystem is left out here, or "".
func lacks(name string, known, have []string) string {
	kind, layers := kindOf(name), layersOn(name)
	switch {
	case slices.Contains(backends[*backendFlag].refuses, kind):
		return "the backend " + *backendFlag + " refuses it"
	case !slices.Contains(known, kind):
		return "the kernel has none"
	case layers != "" && !slices.Contains(have, layers):
		return "there is no " + layers + " for its layers"
	}
	if mkfs := filesystems[kind].mkfs; mkfs != nil {
		if _, err := exec.LookPath(mkfs[0]); err != nil {
			return err.Error()
		}
	}
	return ""
}

// stage sets a stage for one test, on some filesystems.
func stage(t *testing.T, filesystems []string) *Stage {
	t.Helper()
	dir, err := os.MkdirTemp(base, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir, *fimFlag, *backendFlag, filesystems, *patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := unmountBelow(dir); err != nil {
			t.Error(err)
		}
	})
	return s
}
