// SPDX-License-Identifier: Apache-2.0

package fanotify

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

const (
	// chunkLen is the size of one read. Each event in it may bring a pidfd, so
	// it is small enough for all of them to fit under a limit of 1,024
	// descriptors (an event is some 100 bytes).
	chunkLen = 32 << 10
	// maxWaiting is where reading stops until some events are handed out, about
	// 80 MB. Then the kernel's own queue fills up, which is told as overflow.
	maxWaiting = 1 << 18
)

// queue holds the events that were read and not yet handed out. All that the
// kernel has is read each time, because what stands further back in the stream
// tells where directories were before, see learn.
type queue struct {
	fd     int
	events []waiting
	head   int
	late   []waiting // to be handed out before events[head], see settle
	first  uint64    // number of events[head] in the stream
	// round counts the readings until the kernel had no more. Events of one
	// round may have been in the kernel's queue together and merged there;
	// those of different rounds were not.
	round    uint64
	complete bool // the last reading went on until the kernel had no more

	// moves are the numbers of the waiting renames and deletions of each
	// directory, in order.
	moves    map[string][]uint64
	overflow uint64 // number of the last overflow that was read, plus one

	// pidfds keeps one descriptor for each process until nothing waits. Should
	// a number have passed to a new process meanwhile, the proof that package
	// process asks for fails, and only the number is told.
	pidfds map[int32]int
	free   []*chunk
}

// waiting is an event that was read.
type waiting struct {
	record
	round uint64
	boot  uint64 // CLOCK_BOOTTIME when it was read
	chunk *chunk
	// then are operations that were merged into earlier events and came, as
	// others prove, right after this one.
	then []waiting
	// removedFirst says that of the merged operations the removal was the first.
	removedFirst bool
}

// chunk is the memory of some events, used again when all are done.
type chunk struct {
	data [chunkLen]byte
	used int // events not yet done
}

func newQueue(fd int) *queue {
	return &queue{fd: fd, complete: true, moves: make(map[string][]uint64), pidfds: make(map[int32]int)}
}

// len is how many events wait, late ones not counted.
func (q *queue) len() int { return len(q.events) - q.head }

// end is the number of the event that will be read next.
func (q *queue) end() uint64 { return q.number(len(q.events)) }

// begins says whether the next event to be popped is the one of that number, or a later one.
func (q *queue) begins(number uint64) bool {
	return q.len() > 0 && len(q.late) == 0 && q.first >= number
}

// drain reads until the kernel has no more, or there is no room. An event that
// cannot be parsed takes the rest of its read with it; malformed says so.
func (q *queue) drain() (malformed bool, err error) {
	if q.complete {
		q.round++
	}
	q.complete = false
	read := len(q.events)
	defer func() { q.settle(read) }()
	for q.len() < maxWaiting {
		c := q.chunk()
		n, err := unix.Read(q.fd, c.data[:])
		switch {
		case err == unix.EINTR:
			q.release(c)
			continue
		case err == unix.EAGAIN, err == nil && n == 0:
			q.release(c)
			q.complete = true
			return malformed, nil
		case err != nil:
			q.release(c)
			return malformed, fmt.Errorf("read fanotify events: %w", err)
		}
		malformed = q.split(c, n) || malformed
	}
	return malformed, nil
}

func (q *queue) split(c *chunk, n int) (malformed bool) {
	boot := bootTime()
	for rest := c.data[:n]; len(rest) > 0; {
		var r record
		var err error
		r, rest, err = parse(rest)
		q.keep(&r)
		if err != nil {
			malformed = true
			continue
		}
		q.index(&r)
		c.used++
		q.events = append(q.events, waiting{record: r, round: q.round, boot: boot, chunk: c})
	}
	q.release(c)
	return malformed
}

// keep keeps the first pidfd of each process and closes others.
func (q *queue) keep(r *record) {
	if r.pidfd < 0 {
		return
	}
	if _, ok := q.pidfds[r.pid]; ok {
		unix.Close(int(r.pidfd))
		return
	}
	q.pidfds[r.pid] = int(r.pidfd)
}

// index notes what learn asks for.
func (q *queue) index(r *record) {
	number := q.first + uint64(q.len())
	if r.mask&unix.FAN_Q_OVERFLOW != 0 {
		q.overflow = number + 1
	}
	if r.movesDir() {
		q.moves[string(r.object)] = append(q.moves[string(r.object)], number)
	}
}

// movesDir says whether the event takes a directory away from its place.
func (r *record) movesDir() bool {
	return r.mask&unix.FAN_ONDIR != 0 && r.mask&(unix.FAN_RENAME|unix.FAN_DELETE) != 0 &&
		len(r.object) > 0 && len(r.dir) > 0
}

// pop takes the first waiting event, which is valid until done.
func (q *queue) pop() (w waiting, ok bool) {
	if len(q.late) > 0 {
		w, q.late = q.late[0], q.late[1:]
		if w.movesDir() {
			q.unindex(w.object)
		}
		return w, true
	}
	if q.len() == 0 {
		return w, false
	}
	w = q.events[q.head]
	q.late = w.then
	q.events[q.head] = waiting{}
	q.head++
	q.first++
	if q.head >= len(q.events)/2 && q.head >= 1024 {
		q.events = q.events[:copy(q.events, q.events[q.head:])]
		q.head = 0
	}
	if w.movesDir() {
		q.unindex(w.object)
	}
	return w, true
}

func (q *queue) unindex(dir ref) {
	if numbers := q.moves[string(dir)]; len(numbers) > 1 {
		q.moves[string(dir)] = numbers[1:]
	} else {
		delete(q.moves, string(dir))
	}
}

// number is that of events[i] in the stream.
func (q *queue) number(i int) uint64 { return q.first + uint64(i-q.head) }

// reindex notes that a removal was put behind another event.
func (q *queue) reindex(dir ref, from, to uint64) {
	numbers := q.moves[string(dir)]
	if i := slices.Index(numbers, from); i >= 0 {
		numbers[i] = to
		slices.Sort(numbers)
	}
}

// firstMove returns the first waiting event that takes dir away from its place.
func (q *queue) firstMove(dir ref) (*record, bool) {
	numbers := q.moves[string(dir)]
	if len(numbers) == 0 {
		return nil, false
	}
	moves := func(w waiting) bool { return w.movesDir() && string(w.object) == string(dir) }
	late := q.late
	if numbers[0] >= q.first {
		e := &q.events[q.head+int(numbers[0]-q.first)]
		if moves(*e) {
			return &e.record, true
		}
		late = e.then
	}
	if i := slices.IndexFunc(late, moves); i >= 0 {
		return &late[i].record, true
	}
	return nil, false
}

// lossAhead says whether events that would stand behind the one in hand were
// lost or not read yet, so that their absence proves nothing.
func (q *queue) lossAhead() bool { return !q.complete || q.overflow > q.first }

// done gives back the memory of an event.
func (q *queue) done(w *waiting) {
	if w.chunk.used--; w.chunk.used == 0 {
		q.free = append(q.free, w.chunk)
	}
	w.chunk = nil
}

// rest is called when no event waits.
func (q *queue) rest() {
	for pid, fd := range q.pidfds {
		unix.Close(fd)
		delete(q.pidfds, pid)
	}
	q.events, q.head = q.events[:0], 0
	if len(q.free) > 64 {
		q.free = q.free[:64] // a burst's memory goes back
	}
}

func (q *queue) chunk() *chunk {
	if n := len(q.free); n > 0 {
		c := q.free[n-1]
		q.free = q.free[:n-1]
		return c
	}
	return new(chunk)
}

// release gives back a chunk that no event is in.
func (q *queue) release(c *chunk) {
	if c.used == 0 {
		q.free = append(q.free, c)
	}
}

// bootTime returns CLOCK_BOOTTIME in nanoseconds.
func bootTime() uint64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) // cannot fail for a clock that exists
	return uint64(t.Nano())
}

// takesName says whether a waiting event takes the name away from the object of
// r, which therefore had it.
func (q *queue) takesName(r *record) bool {
	takes := func(w waiting) bool {
		return w.mask&(unix.FAN_DELETE|unix.FAN_RENAME) != 0 && string(w.object) == string(r.object) &&
			string(w.dir) == string(r.dir) && string(w.name) == string(r.name)
	}
	return slices.ContainsFunc(q.late, takes) || slices.ContainsFunc(q.events[q.head:], func(w waiting) bool {
		return takes(w) || slices.ContainsFunc(w.then, takes)
	})
}

// pidfd returns the descriptor of a process, or -1.
func (q *queue) pidfd(pid int32) int {
	if fd, ok := q.pidfds[pid]; ok {
		return fd
	}
	return -1
}
