// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"testing"
	"time"
)

func TestAModifyThatWasToldInDoubtIsNotToldAgainWhenItIsKnown(t *testing.T) {
	const unknown, retold = trampolinesFlagFLAG_UNKNOWN, trampolinesFlagFLAG_RETOLD
	type write struct {
		at    time.Duration
		tgid  uint32
		ino   uint64
		flags trampolinesFlag
		told  bool
	}
	for what, writes := range map[string][]write{
		"told in doubt, then known":                   {{0, 1, 7, unknown, false}, {time.Second, 1, 7, retold, true}},
		"the first was no event":                      {{time.Second, 1, 7, retold, false}},
		"another open file":                           {{0, 1, 7, unknown, false}, {time.Second, 1, 7, 0, false}},
		"another process":                             {{0, 1, 7, unknown, false}, {time.Second, 2, 7, retold, false}},
		"another file":                                {{0, 1, 7, unknown, false}, {time.Second, 1, 8, retold, false}},
		"much later":                                  {{0, 1, 7, unknown, false}, {5 * time.Second, 1, 7, retold, false}},
		"the first was no event, the second in doubt": {{0, 1, 7, unknown | retold, false}, {time.Second, 1, 7, retold, true}},
	} {
		var told retellings
		for i, w := range writes {
			r := &raw{trampolinesRecord: &trampolinesRecord{}}
			r.Time, r.Actor.Tgid, r.Ino, r.Flags = uint64(time.Hour+w.at), w.tgid, w.ino, uint32(w.flags)
			if got := told.told(r); got != w.told {
				t.Errorf("%s: write %d was told before: %v", what, i, got)
			}
		}
	}
}

func TestRetellingsAreBounded(t *testing.T) {
	var told retellings
	for i := range 3 * maxRetellings {
		r := &raw{trampolinesRecord: &trampolinesRecord{}}
		r.Time, r.Ino, r.Flags = uint64(time.Hour)+uint64(i), uint64(i), uint32(trampolinesFlagFLAG_UNKNOWN)
		told.told(r)
	}
	if len(told) > maxRetellings {
		t.Errorf("%d of them", len(told))
	}
}
