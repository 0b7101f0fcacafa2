// SPDX-License-Identifier: Apache-2.0

package source

import (
	"slices"
	"time"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/mount"
)

// change is what a process is about to do to a mount.
type change struct {
	op event.Op
	id int
}

// remounters are those who are about to attach and detach mounts, or did.
type remounters struct {
	looks int                    // at the mount table, also where it is the same
	who   map[change][]remounter // in the order in which they did it
	tries map[uint64]attempt     // to detach a mount, of which the outcome is to come, by thread
}

// remounter is one who did it, or who will unless that fails.
type remounter struct {
	at    uint64 // on CLOCK_BOOTTIME
	looks int    // at the table before that was known
	proc  event.Process
}

// attempt is a change of which it is not known whether it came about.
type attempt struct {
	change
	remounter
}

// maxActors is how many changes are kept whose outcome is not known, such as those that
// failed. Whoever is forgotten is absent from his event.
const maxActors = 1024

// outcomeWait is how long an outcome is waited for: it comes when the kernel has waited for a
// grace period, unless the backend has lost it.
const outcomeWait = 2 * time.Second

// maxSame is how many of one change are kept: the first that detached a mount of that
// number, and the last that attached one.
const maxSame = 8

func newRemounters() remounters {
	return remounters{who: map[change][]remounter{}, tries: map[uint64]attempt{}}
}

// by notes who is about to attach or detach a mount.
func (r *remounters) by(op event.Op, id int, at uint64, p *event.Process) {
	if len(r.who) >= maxActors {
		clear(r.who)
	}
	if len(r.tries) >= maxActors {
		clear(r.tries)
	}
	e := event.Event{Proc: *p}
	one := attempt{change{op, id}, remounter{at, r.looks, e.Clone().Proc}}
	if op == event.OpUmount {
		r.tries[p.Tid] = one
		return
	}
	r.did(one)
}

// did notes who did it, if it comes about.
func (r *remounters) did(one attempt) {
	all := append(r.who[one.change], one.remounter)
	if one.op == event.OpUmount {
		r.who[one.change] = all[:min(len(all), maxSame)]
		return
	}
	r.who[one.change] = all[max(0, len(all)-maxSame):]
}

// outcome notes what came of the last try of a thread to detach a mount.
func (r *remounters) outcome(thread uint64, failed bool) {
	one, tried := r.tries[thread]
	if delete(r.tries, thread); tried && !failed {
		one.looks = r.looks
		r.did(one)
	}
}

// tried says whether somebody may have done it of whom no outcome is known yet.
func (r *remounters) tried(m *remount) bool {
	for _, one := range r.tries {
		if one.change == m.change() && one.at < m.seen && bootNow() < m.seen+uint64(outcomeWait) {
			return true
		}
	}
	return false
}

// actor returns which of those who did such a thing is known to have done this: of a mount
// that goes the first since it came. It is negative while that is not known.
func (r *remounters) actor(m *remount) int {
	return slices.IndexFunc(r.who[m.change()], func(one remounter) bool {
		return m.seen > 0 && one.at > m.after && (m.Op == event.OpUmount || one.at == m.attached)
	})
}

// lastActor returns that when all are known who may have done it: of a mount that comes it is
// the last before the table was read, if nothing tells which.
func (r *remounters) lastActor(m *remount) int {
	i := r.actor(m)
	if i >= 0 || m.Op == event.OpUmount || m.attached != 0 || m.seen == 0 {
		return i
	}
	for n, one := range r.who[m.change()] {
		if one.at > m.after && one.at <= m.by {
			i = n
		}
	}
	return i
}

// take returns who did it, if that is known, and keeps only those who did it after him.
func (r *remounters) take(m *remount) (remounter, bool) {
	i := r.lastActor(m)
	if i < 0 {
		return remounter{}, false
	}
	all := r.who[m.change()]
	r.who[m.change()] = all[i+1:]
	return all[i], true
}

// forget drops who did what is done and is not to be told: the next mount of that number
// is another. What was heard of since the last look may be younger than the table, which
// then has an earlier mount of that number.
func (r *remounters) forget(rows map[int]mount.Mount, queue []*remount) {
	for done, all := range r.who {
		_, there := rows[done.id]
		waits := slices.ContainsFunc(queue, func(m *remount) bool { return m.change() == done })
		if there != (done.op == event.OpMount) || waits {
			continue
		}
		all = slices.DeleteFunc(all, func(one remounter) bool { return one.looks < r.looks-1 })
		if r.who[done] = all; len(all) == 0 {
			delete(r.who, done)
		}
	}
}
