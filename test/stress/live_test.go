// SPDX-License-Identifier: Apache-2.0

package stress_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// liveConfig watches a filesystem of its own and returns the directory and the
// configuration; it skips where fanotify is not allowed.
func liveConfig(t *testing.T) (dir, config string) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: needs root, for fanotify and a mount")
	}
	dir = t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "fim-stress", dir).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir, fmt.Sprintf(`{"watch":[%q]}`, dir)
}

func TestLiveEventsComeFromThePluginThatWasOpenedNotTheOneInitialisedLast(t *testing.T) {
	dir, config := liveConfig(t)
	cmd := command(t, "live", config, "", 0)
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
	lines := bufio.NewScanner(out)
	file := filepath.Join(dir, "file")
	found := false
	for lines.Scan() {
		switch lines.Text() {
		case "open":
			if err := os.WriteFile(file, nil, 0o644); err != nil {
				t.Fatal(err)
			}
		case "create " + file:
			found = true
			in.Close()
		}
	}
	if err := cmd.Wait(); err != nil || !found {
		t.Errorf("host: %v, event found: %v", err, found)
	}
}

// busy writes files into dir until the test ends.
func busy(t *testing.T, dir string) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			file := filepath.Join(dir, strconv.Itoa(i%100))
			if os.WriteFile(file, []byte("x"), 0o644) != nil || os.Remove(file) != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-done
	})
}

func TestALiveCaptureStandsPluginsThatComeAndGo(t *testing.T) {
	dir, config := liveConfig(t)
	busy(t, dir)
	run(t, "churn", config, "", 3000)
}

func TestNoSignalHandlerRunsOnAGoroutinesStackOfALiveCapture(t *testing.T) {
	dir, config := liveConfig(t)
	busy(t, dir)
	out := run(t, "signals", config, "", 20000)
	if n := seen(t, out, "foreign"); n > 0 {
		t.Errorf("%d of %d handlers", n, seen(t, out, "handled"))
	}
}

func TestOpenAndCloseOfALiveCaptureLeaveNothingBehind(t *testing.T) {
	dir, config := liveConfig(t)
	busy(t, dir)
	out := run(t, "reopen", config, "", 50)
	leftNothing(t, out)
}
