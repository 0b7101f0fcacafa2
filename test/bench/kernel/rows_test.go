// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// left writes what the guest leaves in out.
func left(t *testing.T, files map[string]string) string {
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestRowsAreReadAsTheGuestLeavesThem(t *testing.T) {
	line := `{"depth":10,"op":"rename","insns":%d,"total":900,"spread":3,"ops":6000,"runs":%d}` + "\n"
	dir := left(t, map[string]string{
		"tmpfs.none.rename.10.json":      fmt.Sprintf(line, 100, 0),
		"tmpfs.none.rename.10.events":    "0\n",
		"tmpfs.none.lost":                "0\n",
		"tmpfs.watched.rename.10.json":   fmt.Sprintf(line, 140, 18000),
		"tmpfs.watched.rename.10.events": "6000\n",
		"tmpfs.watched.lost":             "1\n",
	})
	s := settings{filesystems: []string{"tmpfs"}, columns: []string{"none", "watched"}, operations: []operation{{"rename", 10}}}
	rows, err := s.read(dir, "6.12.1")
	if err != nil || len(rows) != 2 {
		t.Fatalf("%v, %v", rows, err)
	}
	want := row{
		Kernel: "6.12.1", FS: "tmpfs", Depth: 10, Op: "rename", Column: "watched",
		Insns: 140, Runs: 18000, Events: 6000, Ops: 6000, Spread: 3, Total: 900, Lost: 1,
	}
	if rows[1] != want {
		t.Errorf("%+v, want %+v", rows[1], want)
	}
	s.operations = []operation{{"rename", 60}}
	if rows, err := s.read(dir, ""); err == nil {
		t.Errorf("a measurement that is missing read as %v", rows)
	}
}

func TestRowsThatMeasuredSomethingElseAreFlawed(t *testing.T) {
	for _, c := range []struct {
		why  string
		row  row
		want string
	}{
		{"every event arrived", row{Op: "open_read", Column: "watched", Ops: 6, Runs: 12, Events: 6}, ""},
		{"nothing was watched, and nothing came", row{Op: "open_read", Column: "unwatched", Ops: 6, Runs: 12}, ""},
		{"repeated writes are one event", row{Op: "pwrite1", Column: "watched", Ops: 6, Runs: 12, Events: 1}, ""},
		{"reads are none", row{Op: "read4k", Column: "fanotify_watched", Ops: 6}, ""},
		{"fanotify merged what waited", row{Op: "open_read", Column: "fanotify_watched", Ops: 6, Events: 2}, ""},
		{"fanotify was deaf", row{Op: "open_read", Column: "fanotify_watched", Ops: 6}, "0 events of 6"},
		{"no write was seen", row{Op: "pwrite1", Column: "watched", Ops: 6, Runs: 12}, "0 events of 6"},
		{"nothing was attached", row{Op: "rename", Column: "empty", Ops: 6}, "ran 0 times"},
		{"something was", row{Op: "rename", Column: "none", Ops: 6, Runs: 12}, "ran 12 times"},
		{"events were lost", row{Op: "rename", Column: "watched", Ops: 6, Runs: 12, Events: 6, Lost: 1}, "1 losses"},
		{"the column was deaf", row{Op: "open_read", Column: "watched", Ops: 6, Runs: 12}, "0 events of 6"},
		{"the column heard what it should not", row{Op: "open_read", Column: "unwatched", Ops: 6, Runs: 12, Events: 6}, "nothing is watched"},
	} {
		err := c.row.flaws(true)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.why, err, c.want)
		}
	}
}

func TestTheFileIsAnArrayOfTheRows(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "bench.json")
	rows := []row{{Kernel: "6.12.1", FS: "tmpfs", Depth: 10, Op: "rename", Column: "none"}, {Column: "watched", Events: 7}}
	if err := writeJSON(file, rows); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var read []map[string]any
	if err := json.Unmarshal(text, &read); err != nil || len(read) != 2 {
		t.Fatalf("%v in\n%s", err, text)
	}
	for _, key := range []string{"kernel", "fs", "depth", "op", "column", "insns", "runs", "events"} {
		if _, ok := read[0][key]; !ok {
			t.Errorf("a row without %s: %v", key, read[0])
		}
	}
	if n := bytes.Count(text, []byte("\n")); n != 4 {
		t.Errorf("%d lines, want one for each row and two around them:\n%s", n, text)
	}
}

func TestTheTableSaysWhatIsAddedAndWhetherThatHolds(t *testing.T) {
	at := func(column string, insns int64) row {
		return row{FS: "tmpfs", Depth: 10, Op: "rename", Column: column, Insns: insns, Ops: 10, Runs: 25}
	}
	other := row{FS: "ext4", Depth: 10, Op: "rename", Column: "unwatched", Insns: 9000}
	var table bytes.Buffer
	if err := writeTable(&table, []row{at("none", 5000), other, at("unwatched", 6400)}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(table.String(), "\n")
	for i, want := range map[int][]string{
		1: {"none", "5000", "2.50"},
		2: {"unwatched", "6400", "+1400", "1500: holds"},
		3: {"ext4", "9000"},
	} {
		for _, w := range want {
			if !strings.Contains(lines[i], w) {
				t.Errorf("line %d lacks %q:\n%s", i, w, &table)
			}
		}
	}
	if strings.Contains(lines[3], "+") {
		t.Errorf("an addition to the none of another filesystem:\n%s", &table)
	}
	r := at("unwatched", 1600)
	if got := r.verdict([]row{at("none", 0)}); got != "1500: over by 100" {
		t.Errorf("1600 more: %s", got)
	}
	r = at("watched", 9000)
	if got := r.verdict([]row{at("none", 0), at("nobody", 8500)}); got != "+500 to nobody, 600: holds" {
		t.Errorf("500 for who acts: %s", got)
	}
}

func TestOperationsNameTheirDepth(t *testing.T) {
	got, err := parseOperations([]string{"rename", "open_read:60"})
	if err != nil || len(got) != 2 || got[0] != (operation{"rename", 10}) || got[1] != (operation{"open_read", 60}) {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"rename:", "rename:0", "rename:ten"} {
		if got, err := parseOperations([]string{bad}); err == nil {
			t.Errorf("%s read as %v", bad, got)
		}
	}
}
