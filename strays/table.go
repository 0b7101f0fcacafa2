// SPDX-License-Identifier: Apache-2.0

package strays

import "time"

// ID is a file or directory.
type ID struct {
	// Dev is the device of its filesystem, and Inode its number there.
	Dev, Inode uint64
}

// Max is how many things a table holds, as many as the kernel side does (`followed`
// in bpf/src/maps.h).
const Max = 65536

// Table holds what was moved out. It belongs to one goroutine.
type Table struct {
	things  map[ID]thing
	leaving []leaving // in order
	left    uint64    // how many there have been
	refused uint64
}

type thing struct {
	origin string
	volume uint64
	left   uint64 // the number of leaving that it is; 0: it is followed
}

// leaving is a directory that is back in. What the kernel side told before it was made to
// forget it may still be by this directory, though it has one above by now that was moved
// out.
type leaving struct {
	id     ID
	number uint64
	at     uint64
}

// settle is how far behind the time of another record one may come.
const settle = uint64(time.Second)

// New returns an empty table.
func New() *Table { return &Table{things: map[ID]thing{}} }

// Refused is how many things there was no room for.
func (t *Table) Refused() uint64 { return t.refused }

// Origin returns the path at which it would lie had it not been moved out. volume tells
// apart what has the same ID, as in two subvolumes of btrfs; 0: not known.
func (t *Table) Origin(id ID, volume uint64) (origin string, ok bool) {
	at, ok := t.things[id]
	if volume != 0 && at.volume != 0 && volume != at.volume {
		return "", false
	}
	return at.origin, ok
}

// Side is one side of a rename.
type Side struct {
	// Path is by which patterns have to do with it, if any do: the one on the host, or,
	// beneath a directory that is followed, the one by that directory's origin.
	Path []byte
	// Beneath says that it is the second.
	Beneath bool
}

// Move is one rename.
type Move struct {
	ID        ID
	Volume    uint64 // as for Origin
	Directory bool
	Again     bool // the kernel side had noted it before
	From, To  Side
	// Time is when it was, and Now when it is taken in, both on one clock.
	Time, Now uint64
}

// Learn takes a rename in, and says whether what was renamed is followed from now on.
func (t *Table) Learn(m Move) bool {
	t.expire(m.Time)
	origin := string(m.From.Path)
	if origin == "" && m.Again {
		origin, _ = t.Origin(m.ID, m.Volume)
	}
	switch {
	case len(m.To.Path) == 0: // out, if it was in
	case m.To.Beneath && m.Directory:
		origin = string(m.To.Path) // it is the nearest one of what lies beneath
	case m.Directory: // back in
		t.leave(m)
		return false
	default:
		origin = ""
	}
	if origin == "" {
		t.Forget(m.ID)
		return false
	}
	if _, known := t.things[m.ID]; !known && len(t.things) >= Max {
		t.refused++
		return false
	}
	t.things[m.ID] = thing{origin: origin, volume: m.Volume}
	return true
}

func (t *Table) leave(m Move) {
	t.left++
	for len(t.leaving) > 0 && len(t.things) >= Max {
		t.drop()
	}
	t.things[m.ID] = thing{origin: string(m.To.Path), volume: m.Volume, left: t.left}
	t.leaving = append(t.leaving, leaving{m.ID, t.left, m.Now})
}

// expire drops what nothing will be told by any more.
func (t *Table) expire(at uint64) {
	for len(t.leaving) > 0 && at > t.leaving[0].at+settle {
		t.drop()
	}
}

// drop drops the first that is leaving, unless it was moved again.
func (t *Table) drop() {
	first := t.leaving[0]
	t.leaving = t.leaving[1:]
	if t.things[first.id].left == first.number {
		delete(t.things, first.id)
	}
}

// Forget takes in that a thing is gone.
func (t *Table) Forget(id ID) { delete(t.things, id) }
