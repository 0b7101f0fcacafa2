// SPDX-License-Identifier: Apache-2.0

package process

import "golang.org/x/sys/unix"

// ancestors adds the processes above the one behind dir, of which st was read.
//
// A parent is a number, too, that may have gone to another process by the time it
// is opened. Whoever took it over started after the child did, while a parent, or
// whom the child was given to when that ended, started before. In doubt, within
// one tick, the child is asked again: it is given another parent at once, see
// find_new_reaper() of kernel/exit.c. What is not the parent ends the list.
func (r *Reader) ancestors(dir int, st stat, rec *record) {
	child := dir
	for range len(rec.pids) {
		if st.ppid == 0 {
			break // the first process, or the parent is in another pid namespace
		}
		above, next, ok := r.ancestor(child, st, rec)
		if child != dir {
			unix.Close(child)
		}
		if !ok {
			return
		}
		child, st = above, next
	}
	if child != dir {
		unix.Close(child)
	}
}

// ancestor adds the parent of child and returns its directory, open, and what was
// read of it, without its name.
func (r *Reader) ancestor(child int, of stat, rec *record) (dir int, st stat, ok bool) {
	dir, err := r.open(int(of.ppid))
	if err != nil {
		return 0, stat{}, false
	}
	if st, ok = r.stat(dir); !ok || st.start > of.start {
		unix.Close(dir)
		return 0, stat{}, false
	}
	comm := rec.keep(st.comm)
	if st.start == of.start && !r.isParent(of.ppid, child) {
		unix.Close(dir)
		return 0, stat{}, false
	}
	first := len(rec.who.AncestorPids) == 0
	rec.add(of.ppid, comm, rec.keep(r.link(dir, "exe")))
	if first {
		rec.parent, _ = r.arguments(dir, rec, rec.parent)
		rec.who.ParentArgv = rec.parent
	}
	st.comm = nil // it lies in memory that is used again
	return dir, st, true
}

// isParent says whether child still names pid as its parent.
func (r *Reader) isParent(pid uint64, child int) bool {
	st, ok := r.stat(child)
	return ok && st.ppid == pid
}
