// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// row is one measurement.
type row struct {
	Kernel string `json:"kernel"` // uname -r
	FS     string `json:"fs"`
	Depth  int    `json:"depth"` // directories between the watched one and the file
	Op     string `json:"op"`
	Column string `json:"column"`
	// Insns is what one operation takes in the calling thread, the kernel and
	// fim's programs there included: the median of the rounds.
	Insns int64 `json:"insns"`
	// Runs is how often programs ran during Ops operations, for what the reader
	// does meanwhile too. Events is how many events of Ops operations it
	// delivered.
	Runs   int64 `json:"runs"`
	Events int64 `json:"events"`
	Ops    int64 `json:"ops"`
	// Spread is how far apart the rounds lie, in Insns.
	Spread int64 `json:"spread"`
	// Total adds to Insns what everything else took meanwhile, fim's reader
	// above all.
	Total int64 `json:"total"`
	// Lost is how many losses fim reported in this column, of all operations.
	Lost int64 `json:"lost"`
}

// read collects what the guest left in dir.
func (s *settings) read(dir, release string) ([]row, error) {
	var rows []row
	for _, fs := range s.filesystems {
		for _, column := range s.columns {
			lost, err := readCount(dir, fs, column, "lost")
			if err != nil {
				return nil, err
			}
			for _, o := range s.operations {
				r, err := readRow(dir, fs, column, o)
				if err != nil {
					return nil, err
				}
				r.Kernel, r.FS, r.Column, r.Lost = release, fs, column, lost
				rows = append(rows, r)
			}
		}
	}
	return rows, nil
}

// readRow reads one operation's line of test/bench/ops, and its events.
func readRow(dir, fs, column string, o operation) (r row, err error) {
	name := fmt.Sprintf("%s.%s.%s.%d", fs, column, o.name, o.depth)
	line, err := os.ReadFile(filepath.Join(dir, name+".json"))
	if err != nil {
		return row{}, err
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return row{}, fmt.Errorf("%s: %w", name, err)
	}
	r.Events, err = readCount(dir, name, "events")
	return r, err
}

func readCount(dir string, name ...string) (int64, error) {
	b, err := os.ReadFile(filepath.Join(dir, strings.Join(name, ".")))
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
}

// least is how many events a row must have whose operations are watched: reads
// none, and writes through one descriptor, however many, one. The fanotify
// queue merges events that are alike while they wait (fanotify(7)).
func (r *row) least() int64 {
	switch {
	case r.Op == "read4k":
		return 0
	case r.Op == "pwrite1", r.Column == "fanotify_watched":
		return 1
	default:
		return r.Ops
	}
}

// flaws says what makes a row no measurement of its column; counted is whether
// the runs of programs were.
func (r *row) flaws(counted bool) error {
	var errs []error
	flaw := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s, %s at depth %d, %s: "+format, append([]any{r.FS, r.Op, r.Depth, r.Column}, args...)...))
	}
	if r.Lost > 0 {
		flaw("%d losses: a lost event is cheaper than one that arrives; a longer --pause lets the reader catch up", r.Lost)
	}
	if watched := slices.Contains([]string{"nobody", "watched", "fanotify_watched"}, r.Column); watched && r.Events < r.least() {
		flaw("%d events of %d operations: something is not watched", r.Events, r.Ops)
	} else if !watched && r.Events > 0 {
		flaw("%d events, where nothing is watched", r.Events)
	}
	if programs := slices.Contains(defaultColumns[1:], r.Column); counted && r.Op != "read4k" && programs == (r.Runs == 0) {
		flaw("programs ran %d times in %d operations", r.Runs, r.Ops)
	}
	return errors.Join(errs...)
}

// writeJSON writes an array, a row on each line.
func writeJSON(file string, rows []row) error {
	var b bytes.Buffer
	separator := "[\n"
	for _, r := range rows {
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		b.WriteString(separator)
		b.Write(line)
		separator = ",\n"
	}
	b.WriteString("\n]\n")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}
