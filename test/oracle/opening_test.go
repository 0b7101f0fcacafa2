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
	} {
		o, now := &opening{first: unsized}, time.Unix(1, 0)
		for i, c := range changes {
			now = now.Add(c.after)
			f := Fact{Op: c.op, Open: true, Old: int64(i)}
			m := o.note(&f, c.watched, c.doubted, now)
			if m.maybe != c.maybe || m.again != c.again || m.loose != c.gap || c.op == "close" && f.Old != c.old {
				t.Errorf("%s: step %d: %+v, old size %d", what, i, m, f.Old)
			}
		}
	}
}
