// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRowsAreReadAsTheGuestLeavesThem(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"tmpfs.none.rename.json":      `{"depth":10,"op":"rename","self":100,"total":110,"spread":2,"runs":9,"loops":1000}` + "\n",
		"tmpfs.none.rename.events":    "0\n",
		"tmpfs.none.lost":             "0\n",
		"tmpfs.watched.rename.json":   `{"depth":10,"op":"rename","self":140,"total":900,"spread":3,"runs":9,"loops":1000}` + "\n",
		"tmpfs.watched.rename.events": "10020\n",
		"tmpfs.watched.lost":          "1\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := settings{filesystems: []string{"tmpfs"}, columns: []string{"none", "watched"}, operations: []string{"rename"}}
	rows, err := s.read(dir, "6.12.1")
	if err != nil || len(rows) != 2 {
		t.Fatalf("%v, %v", rows, err)
	}
	if want := (row{"6.12.1", "tmpfs", 10, "rename", "watched", 140, 900, 3, 9, 1000, 10020, 1}); rows[1] != want {
		t.Errorf("%+v, want %+v", rows[1], want)
	}
	var table bytes.Buffer
	if err := writeTable(&table, rows); err != nil || !strings.Contains(table.String(), "+40") {
		t.Errorf("%v, table without what is added:\n%s", err, &table)
	}
	s.operations = []string{"chmod"}
	if rows, err := s.read(dir, ""); err == nil {
		t.Errorf("a measurement that is missing read as %v", rows)
	}
}
