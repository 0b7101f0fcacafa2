// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"strings"

	"github.com/falco-fim/fim/source"
)

// hookTitles are the columns of appendHooks.
var hookTitles = []string{"hook", "program", "needed for", "variant, or why not attached"}

// appendHooks appends a table of hooks, a line each, with its columns aligned.
// No hooks make no table.
func appendHooks(dst []byte, hooks []source.Hook) []byte {
	if len(hooks) == 0 {
		return dst
	}
	rows := [][]string{hookTitles}
	for _, h := range hooks {
		rows = append(rows, hookCells(h))
	}
	return appendAligned(dst, "  ", rows)
}

func hookCells(h source.Hook) []string {
	program, last := h.Program, h.Variant
	if h.Why != "" {
		program, last = "-", "not attached: "+h.Why
	}
	needed := strings.Join(h.Needed, ", ")
	if needed == "" {
		needed = "- (adds to others)"
	}
	return []string{h.Function, program, needed, last}
}

// appendAligned appends rows of cells with two spaces between the columns.
func appendAligned(dst []byte, indent string, rows [][]string) []byte {
	var widths []int
	safe := make([][][]byte, len(rows))
	for i, row := range rows {
		for j, cell := range row {
			text := []byte{}
			if cell != "" {
				text = appendName(nil, []byte(cell))
			}
			safe[i] = append(safe[i], text)
			if j == len(widths) {
				widths = append(widths, 0)
			}
			widths[j] = max(widths[j], displayWidth(text))
		}
	}
	for _, row := range safe {
		var line []byte
		for j, text := range row {
			line = append(append(line, text...), strings.Repeat(" ", widths[j]-displayWidth(text)+2)...)
		}
		dst = append(append(append(dst, indent...), bytes.TrimRight(line, " ")...), '\n')
	}
	return dst
}
