// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
)

// replaySame replays what the watcher has printed so far and wants the same
// lines, byte for byte.
func (r *run) replaySame(ts *testscript.TestScript, _ []string) error {
	if err := r.settle(ts, nil); err != nil {
		return err
	}
	captured := bytes.Join(r.watcher.all, nil)
	file := filepath.Join(ts.Getenv("WORK"), "captured.jsonl")
	if err := os.WriteFile(file, captured, 0o600); err != nil {
		return err
	}
	var stderr bytes.Buffer
	cmd := r.command(ts, r.fim, []string{"replay", "--format", "json", file})
	cmd.Stderr = &stderr
	printed, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", cmd, err, &stderr)
	}
	if !bytes.Equal(printed, captured) {
		return fmt.Errorf("captured:\n%s\nreplayed:\n%s", captured, printed)
	}
	return nil
}

// replay prints a file of the script's archive as fim replay reads it, for
// stdout and stderr to look at, and wants the exit code.
func (r *run) replay(ts *testscript.TestScript, words []string) error {
	if len(words) != 2 {
		return errors.New("want: replay FILE EXITCODE")
	}
	file := filepath.Join(ts.Getenv("WORK"), words[0])
	cmd := r.command(ts, r.fim, []string{"replay", "--format", "json", file})
	cmd.Stdout, cmd.Stderr = ts.Stdout(), ts.Stderr()
	err := cmd.Run()
	if code := cmd.ProcessState.ExitCode(); fmt.Sprint(code) != words[1] {
		return fmt.Errorf("exit code %d, want %s: %v", code, words[1], err)
	}
	return nil
}
