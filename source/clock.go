// SPDX-License-Identifier: Apache-2.0

package source

import (
	"time"

	"golang.org/x/sys/unix"
)

// remeasure is how often the offset between the clocks is taken again, and so
// for how long a step of the wall clock may go unnoticed.
const remeasure = 10 * time.Second

// clock turns moments of CLOCK_BOOTTIME, which never jumps and counts through
// suspend, into Unix time.
//
// Order is exact: of two moments the later one never gets the earlier time,
// whichever was measured first. When the new offset is smaller because the wall
// clock is being slewed (adjtimex(2)), times therefore stand still at the seam
// for as long as it takes; when the wall clock was stepped, times step with it
// there, as they did on the host.
type clock struct {
	now func() (boot, wall, doubt int64)

	measured time.Time // on the monotonic clock, which costs least to read

	from   int64 // moment on CLOCK_BOOTTIME of the last measurement
	offset int64 // wall - boot since then
	before int64 // the same for moments before it: events that waited in a queue
	floor  int64 // the earliest time since then
}

// newClock returns a clock of the host, measured.
func newClock() *clock {
	c := &clock{now: readClocks, measured: time.Now()}
	boot, wall, _ := c.now()
	c.from, c.offset = boot, wall-boot
	c.before = c.offset
	return c
}

// unix returns the Unix time in nanoseconds of a moment of CLOCK_BOOTTIME, and
// measures first when that is due.
func (c *clock) unix(boot uint64) uint64 {
	b := int64(boot)
	if b-c.from >= int64(remeasure) {
		c.measure()
	}
	if b < c.from {
		return uint64(b + c.before)
	}
	return uint64(max(b+c.offset, c.floor))
}

// tick measures when that is due. Called while nothing happens, it keeps the
// event that ends a long silence from being timed by an old measurement.
func (c *clock) tick() {
	if time.Since(c.measured) >= remeasure {
		c.measure()
	}
}

// current is the Unix time now, on the same scale as the times of events.
func (c *clock) current() uint64 {
	boot, _, _ := c.now()
	return c.unix(uint64(boot))
}

// measure takes the offset again. A change within the doubt of the measurement
// is no change.
func (c *clock) measure() {
	boot, wall, doubt := c.now()
	c.measured = time.Now()
	offset := wall - boot
	change := offset - c.offset
	if -doubt <= change && change <= doubt {
		offset = c.offset
	}
	seam := max(boot+c.offset, c.floor)
	// The kernel slews at most 500 parts per million (adjtimex(2)), clock_adjtime
	// with a changed tick up to 10 %. Beyond that somebody set the clock.
	slew := (boot-c.from)/10 + doubt
	c.floor = 0
	if -slew <= change && change <= slew {
		c.floor = seam
	}
	c.before, c.offset, c.from = c.offset, offset, boot
}

// readClocks reads both clocks as closely together as the scheduler lets it:
// doubt is how far apart, in nanoseconds, they may have been read.
func readClocks() (boot, wall, doubt int64) {
	const tries = 5
	for range tries {
		b1, w, b2 := clockNanos(unix.CLOCK_BOOTTIME), clockNanos(unix.CLOCK_REALTIME), clockNanos(unix.CLOCK_BOOTTIME)
		if d := b2 - b1; doubt == 0 || d < doubt {
			boot, wall, doubt = b1+d/2, w, d
		}
	}
	return boot, wall, doubt
}

// clockNanos cannot fail: both clocks exist since Linux 2.6.39.
func clockNanos(id int32) int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		panic("clock_gettime: " + err.Error())
	}
	return ts.Nano()
}
