// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// spent is time by two clocks: the thread's own and the one on the wall.
type spent struct{ self, total time.Duration }

func (t spent) minus(o spent) spent { return spent{t.self - o.self, t.total - o.total} }
func (t spent) plus(o spent) spent  { return spent{t.self + o.self, t.total + o.total} }

// loop returns what does n steps and says how long they took.
func (o operation) loop(s *scene) (func(n int) (spent, error), error) {
	step := o.prepare(s)
	if o.before == nil {
		return func(n int) (spent, error) { return together(step, n) }, nil
	}
	before := o.before(s)
	clocks, err := cheapest(func() unix.Errno { return 0 })
	if err != nil {
		return nil, err
	}
	return func(n int) (spent, error) { return apart(before, step, clocks, n) }, nil
}

// together times n steps as one.
func together(step func() unix.Errno, n int) (spent, error) {
	began, err := now()
	if err != nil {
		return spent{}, err
	}
	for range n {
		if errno := step(); errno != 0 {
			return spent{}, errno
		}
	}
	ended, err := now()
	return ended.minus(began), err
}

// apart times each of n steps by itself, less what reading the clocks takes,
// because of what comes before each.
func apart(before, step func() unix.Errno, clocks spent, n int) (sum spent, err error) {
	for range n {
		if errno := before(); errno != 0 {
			return sum, errno
		}
		t, err := together(step, 1)
		if err != nil {
			return sum, err
		}
		sum = sum.plus(t.minus(clocks))
	}
	return sum, nil
}

// cheapest is the least that one step takes, of many.
func cheapest(step func() unix.Errno) (least spent, err error) {
	for i := range 1000 {
		t, err := together(step, 1)
		if err != nil {
			return spent{}, err
		}
		if i == 0 || t.self < least.self {
			least = t
		}
	}
	return least, nil
}

func now() (spent, error) {
	self, err := clock(unix.CLOCK_THREAD_CPUTIME_ID)
	if err != nil {
		return spent{}, err
	}
	total, err := clock(unix.CLOCK_MONOTONIC)
	return spent{self, total}, err
}

func clock(id int32) (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(id, &t); err != nil {
		return 0, fmt.Errorf("read clock %d: %w", id, err)
	}
	return time.Duration(t.Nano()), nil
}
