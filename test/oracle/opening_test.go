// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"testing"
	"time"
)

func TestAnOpenFileIsToldAsModifiedOnceAndItsClosingByThat(t *testing.T) {
	type change struct {
		op                string
		watched, doubted  bool
		after             time.Duration
		maybe, again, gap bool  // gap: who cannot tell descriptors apart may leave it out
		old               int64 // of a closing
		at                string
		turn              int
	}
	for what, changes := range map[string][]change{
		"the second is not told, but by who tells each": {
			{op: "modify", watched: true}, {op: "modify", watched: true, again: true}, {op: "close", watched: true, old: 0}},
		"much later it may be told again": {
			{op: "modify", watched: true}, {op: "modify", watched: true, after: time.Minute, maybe: true}, {op: "close", watched: true}},
		"what was not changed is not told": {
			{op: "close", watched: true, again: true, gap: true, old: unsized}},
		"what was changed out of sight neither": {
			{op: "modify"}, {op: "close", watched: true, again: true, gap: true, old: unsized}},
		"a size from out of sight is not the first": {
			{op: "modify"}, {op: "truncate", watched: true}, {op: "close", watched: true, gap: true, old: 1}},
		"where fim may be of two minds both will do": {
			{op: "modify", doubted: true}, {op: "modify", watched: true, maybe: true}, {op: "close", watched: true, maybe: true, gap: true, old: unsized}},
		"under another name it is told again": {
			{op: "modify", watched: true, at: "d/f"}, {op: "modify", watched: true, at: "d/g"}, {op: "modify", watched: true, at: "d/g", again: true}},
		"also if it was doubted whether the first is watched": {
			{op: "modify", doubted: true, at: "d/x"}, {op: "modify", watched: true, at: "d/f"}, {op: "modify", watched: true, at: "d/f", again: true}},
		"with its directory under another name it may be": {
			{op: "modify", watched: true, at: "d/f"}, {op: "modify", watched: true, at: "e/f", maybe: true}, {op: "modify", watched: true, at: "e/f", maybe: true}},
		"and when mounts have changed": {
			{op: "modify", watched: true, at: "d/f"}, {op: "modify", watched: true, at: "d/f", turn: 1, maybe: true}},
		"what was written out of sight takes nothing away": {
			{op: "modify", at: "d/f"}, {op: "modify", watched: true, at: "d/f", turn: 1}},
	} {
		o, now := &opening{first: unsized}, time.Unix(1, 0)
		for i, c := range changes {
			if c.at == "" {
				c.at = "f"
			}
			now = now.Add(c.after)
			f := Fact{Op: c.op, Open: true, Old: int64(i)}
			m := o.note(&f, c.watched, c.doubted, stand{path: c.at, turn: c.turn}, now)
			if m.maybe != c.maybe || m.again != c.again || m.loose != c.gap || c.op == "close" && f.Old != c.old {
				t.Errorf("%s: step %d: %+v, old size %d", what, i, m, f.Old)
			}
		}
	}
}
