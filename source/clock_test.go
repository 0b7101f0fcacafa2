// SPDX-License-Identifier: Apache-2.0

package source

import (
	"math/rand"
	"testing"
	"time"
)

// fakeClocks are the two clocks of a host under the test's control.
type fakeClocks struct{ boot, wall int64 }

func (f *fakeClocks) read() (boot, wall, doubt int64) { return f.boot, f.wall, 100 }

// pass lets d go by on both clocks.
func (f *fakeClocks) pass(d time.Duration) {
	f.boot += int64(d)
	f.wall += int64(d)
}

const noon = int64(1_700_000_000_000_000_000)

func newFakeClock() (*fakeClocks, *clock) {
	f := &fakeClocks{boot: int64(time.Hour), wall: noon}
	c := &clock{now: f.read}
	c.from, c.offset = f.boot, f.wall-f.boot
	c.before = c.offset
	return f, c
}

func (f *fakeClocks) mustBe(t *testing.T, c *clock, boot, want int64) {
	t.Helper()
	if got := int64(c.unix(uint64(boot))); got != want {
		t.Errorf("moment %d has time %d, want %d: off by %s", boot, got, want, time.Duration(got-want))
	}
}

func TestAMomentGetsTheWallTimeItHad(t *testing.T) {
	f, c := newFakeClock()
	f.mustBe(t, c, f.boot, noon)
	f.mustBe(t, c, f.boot+5, noon+5)
	f.pass(time.Minute)
	f.mustBe(t, c, f.boot, f.wall)
}

func TestAStepOfTheWallClockIsFollowedFromTheNextMeasurementOn(t *testing.T) {
	for _, step := range []time.Duration{-24 * time.Hour, -3 * time.Second, 3 * time.Second, 24 * time.Hour} {
		f, c := newFakeClock()
		f.pass(remeasure)
		queued := f.boot - 1
		f.wall += int64(step)
		f.mustBe(t, c, f.boot, f.wall)
		// what waited in the queue since before the step keeps the time of then
		f.mustBe(t, c, queued, f.wall-int64(step)-1)
	}
}

func TestSuspendChangesNothingBecauseBothClocksCountIt(t *testing.T) {
	f, c := newFakeClock()
	f.pass(8 * time.Hour)
	f.mustBe(t, c, f.boot, f.wall)
}

func TestASlewNeverTurnsTheOrderOfTwoEventsRound(t *testing.T) {
	seed := time.Now().UnixNano()
	r := rand.New(rand.NewSource(seed))
	f, c := newFakeClock()
	var last uint64
	for i := range 200_000 {
		d := time.Duration(r.Int63n(int64(20 * time.Millisecond)))
		f.pass(d)
		f.wall -= int64(d) / 2000 // 500 ppm slow
		now := c.unix(uint64(f.boot))
		if now < last {
			t.Fatalf("seed %d, event %d: time went back by %s", seed, i, time.Duration(last-now))
		}
		last = now
	}
	// and never further behind the wall than one period of slewing
	if lag := time.Duration(int64(last) - f.wall); lag < 0 || lag > 10*time.Millisecond {
		t.Errorf("seed %d: time is %s ahead of the wall clock", seed, lag)
	}
}

func TestTheEventThatEndsALongSilenceIsTimedByAFreshMeasurement(t *testing.T) {
	f, c := newFakeClock()
	f.pass(time.Hour)
	f.wall += int64(time.Minute) // somebody set the clock during the silence
	c.measured = time.Now().Add(-remeasure)
	c.tick()
	f.pass(time.Second)
	f.mustBe(t, c, f.boot, f.wall)
}

func TestNoiseOfTheMeasurementIsNotAChange(t *testing.T) {
	f, c := newFakeClock()
	for range 10 {
		f.pass(remeasure)
		f.wall += 90
		before := c.offset
		c.unix(uint64(f.boot))
		f.wall -= 90
		if c.offset != before {
			t.Fatalf("offset moved by %d ns within a doubt of 100 ns", c.offset-before)
		}
	}
}

func TestTheHostsClocksAreReadCloselyTogether(t *testing.T) {
	boot, wall, doubt := readClocks()
	if boot <= 0 || wall <= 0 || doubt <= 0 {
		t.Errorf("boot %d, wall %d, doubt %d", boot, wall, doubt)
	}
	c := newClock()
	if a, b := c.current(), c.current(); a == 0 || b < a {
		t.Errorf("current went from %d to %d", a, b)
	}
}
