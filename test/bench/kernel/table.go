// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// target is the most that a column may add to an operation, in instructions.
type target struct {
	column, op string
	depth      int
	most       int64
}

// targets hold where every program is an LSM program that can be one, on tmpfs.
var targets = []target{
	{"unwatched", "open_read", 10, 700},
	{"unwatched", "open_write", 10, 700},
	{"unwatched", "pwrite1", 10, 500},
	{"unwatched", "read4k", 10, 10}, // none: this is noise
	{"unwatched", "rename", 10, 1500},
	{"unwatched", "mkdir_rmdir", 10, 1500},
	{"unwatched", "create_unlink", 10, 1500},
	{"unwatched", "open_after_rename", 10, 8000},
	{"watched", "open_write", 10, 7000},
}

// verdict compares what a row adds with its target; empty when it has none.
func (r *row) verdict(added int64) string {
	for _, t := range targets {
		if r.FS != "tmpfs" || t.column != r.Column || t.op != r.Op || t.depth != r.Depth {
			continue
		}
		if added <= t.most {
			return fmt.Sprintf("%d: holds", t.most)
		}
		return fmt.Sprintf("%d: over by %d", t.most, added-t.most)
	}
	return ""
}

// writeTable shows a line for each row, by operation, what it adds to column
// none if that was measured, and how often programs ran and events arrived per
// operation.
func writeTable(w io.Writer, rows []row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "fs\tdepth\toperation\tcolumn\tinstructions\tspread\tadded\ttarget\tprograms\tevents\t")
	for _, r := range byOperation(rows) {
		added, verdict := "", ""
		if base := r.base(rows); base != nil && r.Column != "none" {
			added, verdict = fmt.Sprintf("%+d", r.Insns-base.Insns), r.verdict(r.Insns-base.Insns)
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%d\t%d\t%s\t%s\t%.2f\t%.2f\t\n", r.FS, r.Depth, r.Op, r.Column,
			r.Insns, r.Spread, added, verdict, r.per(r.Runs), r.per(r.Events))
	}
	return t.Flush()
}

// per is n for each operation.
func (r *row) per(n int64) float64 { return float64(n) / float64(max(1, r.Ops)) }

// same says whether two rows measure the same thing, in whatever column.
func (r *row) same(o *row) bool { return r.FS == o.FS && r.Op == o.Op && r.Depth == o.Depth }

// base is the row of the same measurement with nothing attached.
func (r *row) base(rows []row) *row {
	for i := range rows {
		if rows[i].Column == "none" && rows[i].same(r) {
			return &rows[i]
		}
	}
	return nil
}

// byOperation brings the columns of an operation together, both in the order
// in which they first come.
func byOperation(rows []row) []row {
	var sorted []row
	for i := range rows {
		if rows[i].first(rows[:i]) {
			for _, r := range rows[i:] {
				if r.same(&rows[i]) {
					sorted = append(sorted, r)
				}
			}
		}
	}
	return sorted
}

// first says whether no row of those before measures the same.
func (r *row) first(before []row) bool {
	for i := range before {
		if before[i].same(r) {
			return false
		}
	}
	return true
}
