// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
)

// row is one measurement: a line of JSON on standard output.
type row struct {
	Kernel string `json:"kernel"` // uname -r
	FS     string `json:"fs"`
	Depth  int    `json:"depth"`
	Op     string `json:"op"`
	Column string `json:"column"`
	// Insns is what one operation takes in the calling thread, the kernel and
	// fim's programs there included: the median of the runs.
	Insns int64 `json:"insns"`
	// Total adds what everything else took meanwhile, fim's reader above all.
	Total int64 `json:"total"`
	// Spread is how far apart the runs lie, in Insns.
	Spread int64 `json:"spread"`
	Runs   int   `json:"runs"`
	Loops  int   `json:"loops"`
	// Events is how many fim printed for this operation, the making and removal
	// of its directories included.
	Events int64 `json:"events"`
	// Lost is how many losses fim reported in this column, of all operations:
	// an event that is lost is cheaper than one that arrives.
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
			for _, op := range s.operations {
				r, err := readRow(dir, fs, column, op)
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
func readRow(dir, fs, column, op string) (row, error) {
	name := filepath.Join(dir, strings.Join([]string{fs, column, op, "json"}, "."))
	line, err := os.ReadFile(name)
	if err != nil {
		return row{}, err
	}
	var m struct {
		row
		Self int64
	}
	if err := json.Unmarshal(line, &m); err != nil {
		return row{}, fmt.Errorf("%s: %w", name, err)
	}
	m.Insns = m.Self
	m.Events, err = readCount(dir, fs, column, op, "events")
	return m.row, err
}

func readCount(dir string, name ...string) (int64, error) {
	b, err := os.ReadFile(filepath.Join(dir, strings.Join(name, ".")))
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
}

// writeTable shows a line for each operation, and what each column adds to the
// first one.
func writeTable(w io.Writer, rows []row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "fs\tdepth\toperation\tcolumn\tinstructions\tadded\tspread\tevents\tlost\t")
	first := map[string]row{}
	for _, r := range rows {
		key := r.FS + " " + r.Op
		added := ""
		if f, ok := first[key]; ok {
			added = fmt.Sprintf("%+d", r.Insns-f.Insns)
		} else {
			first[key] = r
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%d\t%s\t%d\t%d\t%d\t\n", r.FS, r.Depth, r.Op, r.Column, r.Insns, added, r.Spread, r.Events, r.Lost)
	}
	return t.Flush()
}
