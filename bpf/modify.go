// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"maps"
	"time"
)

// retellings are the modifies that were told though the kernel side did not know whether
// the file is watched: once it knows, it reports the same writing again.
type retellings map[writing]uint64

// writing is a process that writes to a file.
type writing struct {
	tgid uint32
	dev  uint64
	ino  uint64
}

const (
	// rearm is REARM of src/modify.h.
	rearm = uint64(5 * time.Second)
	// maxRetellings bounds them; of what is forgotten a modify may be told twice.
	maxRetellings = 1024
)

// told says whether the modify of a record that is to be told was told before, and else
// notes it if the kernel side may report it again.
func (t *retellings) told(r *raw) bool {
	key := writing{r.Actor.Tgid, r.dev(), r.Ino}
	if at, ok := (*t)[key]; ok && r.has(trampolinesFlagFLAG_RETOLD) && r.Time-at < rearm {
		return true
	}
	if r.has(trampolinesFlagFLAG_UNKNOWN) {
		t.note(key, r.Time)
	}
	return false
}

func (t *retellings) note(key writing, now uint64) {
	if len(*t) >= maxRetellings {
		maps.DeleteFunc(*t, func(_ writing, at uint64) bool { return now-at >= rearm })
	}
	if *t == nil || len(*t) >= maxRetellings {
		*t = retellings{}
	}
	(*t)[key] = now
}
