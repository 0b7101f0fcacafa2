// SPDX-License-Identifier: Apache-2.0

package process

import (
	"bytes"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

// Start is when a process started that started so many nanoseconds after boot
// (CLOCK_BOOTTIME): in nanoseconds since the Unix epoch, as Process.Start has it.
func (r *Reader) Start(started uint64) uint64 {
	const tick = 1e9 / ticksPerSecond
	return r.epoch + started/tick*tick
}

// IsHost tells whether a mount namespace, by its inode number, is the host's.
func (r *Reader) IsHost(mounts event.Uint) event.Bool {
	if !mounts.Known || !r.hostMounts.Known {
		return event.Bool{}
	}
	return event.KnownBool(mounts == r.hostMounts)
}

// Arguments returns the argument vector of a process that started so many nanoseconds
// after boot, as it is now; nil when it is not known. Valid until the next call.
func (r *Reader) Arguments(pid int, started uint64) [][]byte {
	dir, err := r.open(pid)
	if err != nil {
		return nil
	}
	defer unix.Close(dir)
	if st, ok := r.stat(dir); !ok || st.start != started/(1e9/ticksPerSecond) {
		return nil
	}
	rec := &r.filled
	rec.reset()
	rec.argv, _ = r.arguments(dir, rec, rec.argv)
	return rec.argv
}

// Complete adds to p, which names a process by its number and by what a kernel
// side recorded, what only /proc tells. started is the process's start in
// nanoseconds since boot (CLOCK_BOOTTIME), at the moment of the event on the same
// clock: a process that has the number now and started in another tick is another
// one, and adds nothing. What the kernel side said is never changed, and what /proc
// says of something that has changed since is left out. Slices are valid until the
// next call.
//
// A process that was looked at after the event happened is not looked at again:
// that would only tell of a moment that is further away.
func (r *Reader) Complete(pid int, started, at uint64, p *event.Process) {
	const tick = 1e9 / ticksPerSecond
	id := identity{pid, started / tick}
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
	add(&p.Cwd, w.Cwd)
	if len(p.Comm) == 0 || bytes.Equal(p.Comm, w.Comm) { // else it has called execve(2) since
		add(&p.Exe, w.Exe)
		if p.Argv == nil {
			p.Argv, p.ArgsCut = w.Argv, w.ArgsCut
		}
	}
	addNumber(&p.Vpid, w.Vpid)
	addNumber(&p.SID, w.SID)
	addNumber(&p.TTY, w.TTY)
	addNumber(&p.PidNS, w.PidNS)
	if !p.MntNS.Known {
		p.MntNS, p.HostMntNS = w.MntNS, w.HostMntNS
	}
	add(&p.Cgroup, w.Cgroup)
	if p.UID == w.UID {
		addNumber(&p.RUID, w.RUID)
	}
	if p.GID == w.GID {
		addNumber(&p.RGID, w.RGID)
	}
	if p.Ppid == w.Ppid && p.AncestorPids == nil {
		p.AncestorPids, p.AncestorComms, p.AncestorExes = w.AncestorPids, w.AncestorComms, w.AncestorExes
		p.ParentArgv = w.ParentArgv
	}
}

func add(to *[]byte, value []byte) {
	if *to == nil {
		*to = value
	}
}

func addNumber(to *event.Uint, value event.Uint) {
	if !to.Known {
		*to = value
	}
}
