// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"
)

// replaySame replays what the watcher has printed so far and wants the same
// lines, byte for byte, and a table that no name can break.
func (r *run) replaySame(ts *testscript.TestScript, _ []string) error {
	if err := r.settle(ts, nil); err != nil {
		return err
	}
	captured := bytes.Join(r.watcher.all, nil)
	file := filepath.Join(ts.Getenv("WORK"), "captured.jsonl")
	if err := os.WriteFile(file, captured, 0o600); err != nil {
		return err
	}
	printed, err := r.replayed(ts, file, "json")
	if err != nil {
		return err
	}
	if !bytes.Equal(printed, captured) {
		return fmt.Errorf("captured:\n%s\nreplayed:\n%s", captured, printed)
	}
	table, err := r.replayed(ts, file, "table")
	if err != nil {
		return err
	}
	return harmless(table, len(r.watcher.all))
}

func (r *run) replayed(ts *testscript.TestScript, file, format string) ([]byte, error) {
	var stderr bytes.Buffer
	cmd := r.command(ts, r.fim, []string{"replay", "--format", format, file})
	cmd.Stderr = &stderr
	printed, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", cmd, err, &stderr)
	}
	return printed, nil
}

// tableRow begins the row of an event; heads and days begin otherwise.
var tableRow = regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d\.\d{3} `)

// harmless wants a row for each event and nothing that a terminal would obey.
func harmless(table []byte, events int) error {
	if !utf8.Valid(table) {
		return fmt.Errorf("the table is not UTF-8: %q", table)
	}
	for line := range bytes.Lines(table) {
		if bytes.ContainsFunc(bytes.TrimSuffix(line, []byte("\n")), unicode.IsControl) {
			return fmt.Errorf("control characters in the table: %q", line)
		}
	}
	if rows := len(tableRow.FindAll(table, -1)); rows != events {
		return fmt.Errorf("%d rows of %d events:\n%s", rows, events, table)
	}
	return nil
}

func TestATableWithControlCharactersOrForgedRowsIsNoticed(t *testing.T) {
	const row = "00:00:00.000 create /w/a\n"
	for table, wrong := range map[string]string{
		"TIME  OP\n2020-01-01 +00:00\n" + row + row: "",
		row:                "1 rows of 2",
		row + row + row:    "3 rows of 2",
		row + "\x1b" + row: "control characters",
		row + "\xff" + row: "not UTF-8",
	} {
		err := harmless([]byte(table), 2)
		if wrong == "" && err != nil || wrong != "" && (err == nil || !strings.Contains(err.Error(), wrong)) {
			t.Errorf("%q: %v, want %q", table, err, wrong)
		}
	}
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
