// SPDX-License-Identifier: Apache-2.0

package process

import (
	"bytes"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

// Complete adds to p, which names a process by its number and by what a kernel
// side recorded, what only /proc tells. started is the process's start in
// nanoseconds since boot (CLOCK_BOOTTIME), at the moment of the event on the same
// clock: a process that has the number now and started in another tick is another
// one, and adds nothing. Start is set in any case. What the kernel side said is
// never changed, and what /proc says of something that has changed since is left
// out. Slices are valid until the next call.
//
// A process that was looked at after the event happened is not looked at again:
// that would only tell of a moment that is further away.
func (r *Reader) Complete(pid int, started, at uint64, p *event.Process) {
	const tick = 1e9 / ticksPerSecond
	id := identity{pid, started / tick}
	p.Start = r.epoch + id.start*tick
	r.thread(pid, at/tick, p)
	rec := r.memo.at[id]
	if rec == nil || at > rec.looked {
		rec = r.look(id)
	}
	if rec != nil {
		rec.complete(p)
	}
}

// look reads a process, if it is still there.
func (r *Reader) look(id identity) *record {
	dir, err := r.open(id.pid)
	if err != nil {
		return nil
	}
	defer unix.Close(dir)
	if st, ok := r.stat(dir); !ok || st.start != id.start {
		return nil
	}
	rec := r.memo.room(id)
	r.describe(dir, rec)
	return rec
}

// complete adds what p lacks.
func (rec *record) complete(p *event.Process) {
	w := &rec.who
	p.Cwd = w.Cwd
	if len(p.Comm) == 0 || bytes.Equal(p.Comm, w.Comm) {
		p.Exe, p.Argv, p.ArgsCut = w.Exe, w.Argv, w.ArgsCut
	} // else it has called execve(2) since
	p.Vpid, p.SID, p.TTY = w.Vpid, w.SID, w.TTY
	p.MntNS, p.PidNS, p.HostMntNS, p.Cgroup = w.MntNS, w.PidNS, w.HostMntNS, w.Cgroup
	if p.UID == w.UID {
		p.RUID = w.RUID
	}
	if p.GID == w.GID {
		p.RGID = w.RGID
	}
	if p.Ppid == w.Ppid {
		p.AncestorPids, p.AncestorComms, p.AncestorExes = w.AncestorPids, w.AncestorComms, w.AncestorExes
		p.ParentArgv = w.ParentArgv
	}
}

// thread adds the name of the thread. Whoever has its number now and started
// before the tick at is the same one.
func (r *Reader) thread(pid int, at uint64, p *event.Process) {
	switch p.Tid {
	case 0:
		return
	case uint64(pid):
		p.ThreadComm = p.Comm
		return
	}
	file := r.root + "/" + strconv.Itoa(pid) + "/task/" + strconv.FormatUint(p.Tid, 10) + "/stat"
	text, err := read(unix.AT_FDCWD, file, r.text)
	if err != nil {
		return
	}
	if st, ok := parseStat(text); ok && st.start <= at {
		p.ThreadComm = r.comm[:copy(r.comm[:], st.comm)]
	}
}
