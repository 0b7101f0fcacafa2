// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

// hammer mounts directories, one after the other, while another thread tries
// without a pause to create a file behind the mountpoint: it succeeds as soon as
// there is anything to be seen, which is before mount(2) returns. Each directory
// was in use before, so it is known to be dead. Arguments: the root, how many, and
// whether they are bound or moved there.
func hammer(args []string) error {
	root := args[0]
	rounds, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	for i := range rounds {
		from, to := filepath.Join(root, "away", strconv.Itoa(i)), filepath.Join(root, "watched", strconv.Itoa(i))
		if err := errors.Join(hammerSetUp(from, args[2]), touch(from+"/x/y/hot")); err != nil {
			return err
		}
		ready, done := make(chan struct{}), make(chan error)
		go func() {
			runtime.LockOSThread()
			close(ready)
			done <- createSoon(to + "/x/y/f")
		}()
		<-ready
		if err := hammerMount(from, to, args[2]); err != nil {
			return err
		}
		if err := <-done; err != nil {
			return err
		}
	}
	return unix.Mkdir(filepath.Join(root, "watched/end"), 0o755)
}

func hammerSetUp(from, how string) error {
	if how == "move" {
		if err := unix.Mount("fim", from, "tmpfs", 0, ""); err != nil {
			return fmt.Errorf("mount: %w", err)
		}
	}
	return os.MkdirAll(from+"/x/y", 0o755)
}

func hammerMount(from, to, how string) error {
	flags := map[string]uintptr{"bind": unix.MS_BIND, "move": unix.MS_MOVE}[how]
	if err := unix.Mount(from, to, "", flags, ""); err != nil {
		return fmt.Errorf("%s %s: %w", how, to, err)
	}
	return nil
}

func createSoon(path string) error {
	for range 100_000_000 {
		fd, err := unix.Open(path, unix.O_CREAT|unix.O_EXCL|unix.O_RDONLY, 0o600)
		if err == nil {
			return unix.Close(fd)
		}
		if err != unix.ENOENT {
			return fmt.Errorf("create %s: %w", path, err)
		}
	}
	return fmt.Errorf("create %s: nothing was ever there", path)
}

// What is seen of a mount before mount(2) has returned is seen by the programs,
// too.
func TestNothingIsMissedWhileMountsAppear(t *testing.T) {
	skipWhereRefused(t)
	rounds := scale(200, 2000)
	for _, how := range []string{"bind", "move"} {
		t.Run(how, func(t *testing.T) {
			root := t.TempDir()
			mount(t, "fim", root, "tmpfs", 0)
			for i := range rounds {
				makeDir(t, root, "away", strconv.Itoa(i))
				makeDir(t, root, "watched", strconv.Itoa(i))
			}
			b := openBackend(t, []event.Op{event.OpCreate, event.OpMkdir}, filepath.Join(root, "watched"))
			if out, err := actor("hammer", root, strconv.Itoa(rounds), how).Output(); err != nil {
				t.Fatalf("the actor failed: %v %s", err, out)
			}
			_, b.o.Place = hostMounts(t)
			seen := map[string]bool{}
			for _, e := range drain(t, b, filepath.Join(root, "watched/end")) {
				seen[string(e.File.HostPath)] = true
			}
			missed := 0
			for i := range rounds {
				if !seen[fmt.Sprintf("%s/watched/%d/x/y/f", root, i)] {
					missed++
				}
			}
			if missed > 0 {
				t.Errorf("%d of %d missed", missed, rounds)
			}
			t.Logf("PROOF mounts appear, %s: %d files created as soon as they could be, %d missed", how, rounds, missed)
			logStats(t, b)
		})
	}
}

func init() { actors["hammer"] = hammer }
