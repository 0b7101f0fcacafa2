// SPDX-License-Identifier: Apache-2.0

package fanotify

import (
	"slices"

	"golang.org/x/sys/unix"
)

// A settler finds out when removals took place that the kernel merged into
// earlier events of the same name. It matters when more happened in between: to
// the directory, which then had another path, or inside of a directory that was
// removed.
//
//   - unlink(2) raises an event of changed attributes without a name right
//     before that of the removal (fsnotify_link_count in vfs_unlink of
//     fs/namei.c), which was not merged with it: there the removal belongs. When
//     it stands right before the merged event, the removal was the first of the
//     merged operations.
//   - rmdir(2) comes after all that happened to and inside of the directory.
//
// What cannot be told this way stays where it is.
type settler struct {
	q *queue
	// merged is where each removal stands, by object; those of objects that
	// lost more than one name are not settled.
	merged map[string]int
	// after is behind which event it belongs, by object.
	after map[string]int
}

// settle works on the events that were read last, from events[from] on.
func (q *queue) settle(from int) {
	s := settler{q: q}
	if s.find(from); len(s.merged) == 0 {
		return
	}
	s.after = make(map[string]int)
	for i := from; i < len(q.events); i++ {
		s.note(i)
	}
	// Directories from the inside out: what is inside was made later.
	objects := make([]string, 0, len(s.after))
	for object := range s.after {
		objects = append(objects, object)
	}
	slices.SortFunc(objects, func(a, b string) int { return s.merged[b] - s.merged[a] })
	for _, object := range objects {
		s.postpone(s.merged[object], s.after[object])
	}
}

// find fills merged.
func (s *settler) find(from int) {
	var twice map[string]bool
	for i := from; i < len(s.q.events); i++ {
		r := &s.q.events[i].record
		if r.mask&unix.FAN_DELETE == 0 || len(r.dir) == 0 || len(r.object) == 0 {
			continue
		}
		if s.merged == nil {
			s.merged, twice = make(map[string]int), make(map[string]bool)
		}
		if _, ok := s.merged[string(r.object)]; ok {
			twice[string(r.object)] = true
		}
		s.merged[string(r.object)] = i
	}
	for object, i := range s.merged {
		if twice[object] || s.q.events[i].mask&^(unix.FAN_DELETE|unix.FAN_ONDIR) == 0 {
			delete(s.merged, object)
		}
	}
}

// note takes events[j] as a sign of when a removal took place.
func (s *settler) note(j int) {
	e := &s.q.events[j]
	for _, dir := range []ref{e.dir, e.newDir} {
		s.noteDir(dir, j)
	}
	i, ok := s.merged[string(e.object)]
	if !ok {
		return
	}
	if s.q.events[i].mask&unix.FAN_ONDIR != 0 {
		s.noteDir(e.object, j)
		return
	}
	switch _, announced := s.after[string(e.object)]; {
	case e.pid != s.q.events[i].pid:
	case j > i && e.isLinkCount() && !announced, j > i && e.mask&unix.FAN_CREATE != 0 && announced:
		// One that announces another name holds the later one for the removal.
		s.after[string(e.object)] = j
	case j == i-1 && e.isLinkCount() && s.q.events[i].mask&unix.FAN_CREATE == 0:
		s.q.events[i].removedFirst = true
	}
}

// noteDir notes that something happened to or inside of a directory.
func (s *settler) noteDir(dir ref, j int) {
	if i, ok := s.merged[string(dir)]; ok && j > i && s.q.events[i].mask&unix.FAN_ONDIR != 0 {
		s.after[string(dir)] = j
	}
}

// postpone takes the removal out of events[i] and puts it behind events[j].
func (s *settler) postpone(i, j int) {
	q, e := s.q, &s.q.events[i]
	w := waiting{record: e.record, round: e.round, boot: q.events[j].boot, chunk: e.chunk}
	w.mask &= unix.FAN_DELETE | unix.FAN_ONDIR
	w.pidfd = unix.FAN_NOPIDFD // stays with the event
	e.mask &^= unix.FAN_DELETE
	w.chunk.used++
	q.events[j].then = append(q.events[j].then, w)
	if at, ok := s.after[string(w.dir)]; ok && at < j {
		s.after[string(w.dir)] = j // now this is the last inside of its parent
	}
	if w.movesDir() {
		q.reindex(w.object, q.number(i), q.number(j))
	}
}

// isLinkCount says whether the event tells that the number of a file's names
// has changed or is about to.
func (r *record) isLinkCount() bool {
	return r.mask == unix.FAN_ATTRIB && len(r.dir) == 0 && len(r.object) > 0
}
