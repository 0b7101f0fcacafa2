// SPDX-License-Identifier: Apache-2.0

package process

import "github.com/falco-fim/fim/event"

// record is a process as it was read, and the memory that holds its names. It is
// used again for another process, so it takes no memory once it has grown.
type record struct {
	who event.Process
	// looked is when it was read, on CLOCK_BOOTTIME in nanoseconds.
	looked uint64

	names        []byte // one behind the other
	argv, parent [][]byte
	pids         [event.MaxAncestors]uint64
	comms, exes  [event.MaxAncestors][]byte
}

func (rec *record) reset() {
	rec.who, rec.names = event.Process{}, rec.names[:0]
	rec.looked = bootNow() // before the first look
}

// keep copies name, which scratch memory holds. Where names must grow, those kept
// before stay where they are.
func (rec *record) keep(name []byte) []byte {
	if len(name) == 0 {
		return nil
	}
	from := len(rec.names)
	rec.names = append(rec.names, name...)
	return rec.names[from:len(rec.names):len(rec.names)]
}

// stat adds what /proc/PID/stat tells.
func (rec *record) stat(st *stat, epoch uint64) {
	p := &rec.who
	p.Comm = rec.keep(st.comm)
	p.Ppid = event.Known(st.ppid)
	p.SID, p.TTY = event.Uint{V: st.sid, Known: st.sid != 0}, st.tty
	p.Start = epoch + st.start*(1e9/ticksPerSecond)
}

// add adds the next process above; its names are kept already.
func (rec *record) add(pid uint64, comm, exe []byte) {
	p := &rec.who
	n := len(p.AncestorPids)
	rec.pids[n], rec.comms[n], rec.exes[n] = pid, comm, exe
	p.AncestorPids, p.AncestorComms, p.AncestorExes = rec.pids[:n+1], rec.comms[:n+1], rec.exes[:n+1]
}

// memoSize is how many processes a memo holds; each takes some hundred bytes, and
// at most what 10 paths and two argument vectors take, 50 KiB.
const memoSize = 256

// identity names a process for good.
type identity struct {
	pid   int
	start uint64 // in ticks since boot
}

// memo holds the processes that were read last, the oldest of which gives way.
type memo struct {
	at      map[identity]*record
	ids     [memoSize]identity
	records [memoSize]record
	next    int
}

// room returns the record of a process, to be filled.
func (m *memo) room(id identity) *record {
	if rec := m.at[id]; rec != nil {
		return rec
	}
	if m.at == nil {
		m.at = make(map[identity]*record, memoSize)
	}
	rec := &m.records[m.next]
	delete(m.at, m.ids[m.next])
	m.at[id], m.ids[m.next] = rec, id
	m.next = (m.next + 1) % memoSize
	return rec
}
