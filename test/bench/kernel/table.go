// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// target is the most that a column may add to an operation, in instructions: to column
// none, or to another.
type target struct {
	column, op string
	depth      int
	most       int64
	to         string
}

// targets hold where every program is an LSM program that can be one, on tmpfs.
var targets = []target{
	{"unwatched", "open_read", 10, 700, "none"},
	{"unwatched", "open_write", 10, 700, "none"},
	{"unwatched", "pwrite1", 10, 500, "none"},
	{"unwatched", "read4k", 10, 10, "none"}, // nothing: this is noise
	{"unwatched", "rename", 10, 1500, "none"},
	{"unwatched", "mkdir_rmdir", 10, 1500, "none"},
	{"unwatched", "create_unlink", 10, 1500, "none"},
	{"unwatched", "open_after_rename", 10, 8000, "none"},
	{"watched", "open_write", 10, 7000, "none"},
	// Who acts, of a process that was told of before, in each event.
	{"watched", "open_read", 10, 600, "nobody"},
	{"watched", "open_write", 10, 600, "nobody"},
	{"watched", "rename", 10, 600, "nobody"},
	{"watched", "mkdir_rmdir", 10, 2 * 600, "nobody"},
	{"watched", "create_unlink", 10, 2 * 600, "nobody"},
	{"watched", "chmod", 10, 600, "nobody"},
}

// verdict compares what a row adds to others with its targets; empty when it has none.
func (r *row) verdict(rows []row) string {
	var all []string
	for _, t := range targets {
		if r.FS != "tmpfs" || t.column != r.Column || t.op != r.Op || t.depth != r.Depth {
			continue
		}
		base := r.in(t.to, rows)
		if base == nil {
			continue
		}
		text := strconv.FormatInt(t.most, 10)
		added := r.Insns - base.Insns
		if t.to != "none" {
			text = fmt.Sprintf("%+d to %s, %d", added, t.to, t.most)
		}
		if added <= t.most {
			text += ": holds"
		} else {
			text += fmt.Sprintf(": over by %d", added-t.most)
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

// writeTable shows a line for each row, by operation, what it adds to column
// none if that was measured, and how often programs ran and events arrived per
// operation.
func writeTable(w io.Writer, rows []row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "fs\tdepth\toperation\tcolumn\tinstructions\tspread\tadded\ttarget\tprograms\tevents\t")
	for _, r := range byOperation(rows) {
		added, verdict := "", ""
		if base := r.in("none", rows); base != nil && r.Column != "none" {
			added, verdict = fmt.Sprintf("%+d", r.Insns-base.Insns), r.verdict(rows)
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

// in is the row of the same measurement in another column.
func (r *row) in(column string, rows []row) *row {
	for i := range rows {
		if rows[i].Column == column && rows[i].same(r) {
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
