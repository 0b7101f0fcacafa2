// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Without a program's flag the test builds it, which needs the Go toolchain
// and this repository; with all of them it needs neither.
var (
	fimFlag     = flag.String("fim", "", "the fim program; built when empty")
	deafFlag    = flag.String("fim-deaf", "", "a fim built with -tags fim_deaf; built when empty")
	actorFlag   = flag.String("actor", "", "the actor program; built when empty")
	backendFlag = flag.String("backend", "fanotify", "backends to run on, separated by commas")
	fsFlag      = flag.String("fs", "tmpfs,ext4,xfs,btrfs", "filesystems to run on, separated by commas")
	deafOnly    = flag.Bool("deaf", false, "run only the proof that a deaf backend fails every script")
	detach      = flag.Bool("detach", false, "have the kernel call no program once fim is ready; one script at a time")
	together    = flag.Bool("together", false, "scripts that watch with the same flags share one fim")
	private     = flag.Bool("private", true, "run in a mount namespace of its own")
	patience    = flag.Duration("patience", 30*time.Second, "how long fim may take to report a change before the script fails")
)

// inNamespace marks a process that already has mounts of its own.
const inNamespace = "FIM_SCENARIO_NAMESPACE"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := ownNamespace(); err != nil {
		fmt.Fprintln(os.Stderr, "scenario: a mount namespace of its own: run as root:", err)
		os.Exit(1)
	}
	code := 1
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "scenario:", err)
	} else {
		code = m.Run()
	}
	cleanUp()
	os.Exit(code)
}

// ownNamespace replaces this process by itself with a private copy of the
// mount table, so that no mount of a scenario is seen elsewhere. A namespace
// belongs to a thread; execve makes the calling thread the only one.
func ownNamespace() error {
	if !*private || os.Getenv(inNamespace) != "" {
		return nil
	}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	return unix.Exec("/proc/self/exe", os.Args, append(os.Environ(), inNamespace+"=1"))
}

// base is the directory that holds everything this run makes.
var base string

// programs are what the scripts run.
var programs struct{ fim, deaf, actor string }

func prepare() (err error) {
	if base, err = os.MkdirTemp("", "fim-scenario-"); err != nil {
		return err
	}
	// Scripts act as other users too, who must get as far as the test files.
	if err = os.Chmod(base, 0o755); err != nil {
		return err
	}
	if programs.fim, err = program(*fimFlag, "fim", "./cmd/fim"); err != nil {
		return err
	}
	if programs.deaf, err = program(*deafFlag, "fim-deaf", "-tags=fim_deaf", "./cmd/fim"); err != nil {
		return err
	}
	if programs.actor, err = program(*actorFlag, "actor", "./test/actor"); err != nil {
		return err
	}
	return os.Setenv("GOTMPDIR", base) // where testscript puts its directories
}

// program returns the absolute path of a program that was given, or builds it
// from the repository's root.
func program(given, name string, build ...string) (string, error) {
	if given != "" {
		return filepath.Abs(given)
	}
	file := filepath.Join(base, name)
	cmd := exec.Command("go", append([]string{"build", "-trimpath", "-o", file}, build...)...)
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s(or name a built one with -%s)", strings.Join(cmd.Args, " "), err, out, name)
	}
	return file, nil
}

func cleanUp() {
	if err := unmountBelow(base); err != nil {
		fmt.Fprintln(os.Stderr, "scenario:", err)
		return // never remove through a mount
	}
	if err := os.RemoveAll(base); err != nil {
		fmt.Fprintln(os.Stderr, "scenario:", err)
	}
}
