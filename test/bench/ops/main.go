// SPDX-License-Identifier: Apache-2.0

// Command ops measures what file operations cost the process that does them.
// It repeats each one in a loop, at the bottom of a chain of directories, and
// prints a line of JSON with the time of one.
//
// In a guest that counts instructions as nanoseconds those times are
// instructions, repeatable to a few percent on a machine however busy; see
// test/bench/kernel. On a host they are what they say.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// row is one line of output: one operation measured.
type row struct {
	Depth int    `json:"depth"`
	Op    string `json:"op"`
	// Self is what one operation takes of the calling thread's processor time,
	// in nanoseconds: kernel and hooks included, readers of events and
	// interrupts not. The median of the runs.
	Self int64 `json:"self"`
	// Total is what the clock on the wall says for the same runs. On one
	// processor that includes everything else that ran meanwhile.
	Total int64 `json:"total"`
	// Spread is the difference between the dearest and the cheapest run, in Self.
	Spread int64 `json:"spread"`
	Runs   int   `json:"runs"`
	Loops  int   `json:"loops"` // operations in a run
}

func main() {
	dir := flag.String("dir", "", "directory in which to work; it is left as it was")
	depth := flag.Int("depth", 10, "directories between dir and the files")
	only := flag.String("op", "", "measure this operation alone")
	runs := flag.Int("runs", 9, "measured runs of an operation, after one to warm up")
	loops := flag.Int("loops", 1000, "operations in a run")
	flag.Parse()
	if err := measureAll(*dir, *depth, *only, *runs, *loops); err != nil {
		fmt.Fprintln(os.Stderr, "ops:", err)
		os.Exit(1)
	}
}

func measureAll(dir string, depth int, only string, runs, loops int) error {
	// One thread, and no collector that works beside it: only the operation
	// may differ between two measurements.
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	out := json.NewEncoder(os.Stdout)
	for _, o := range operations {
		if only != "" && o.name != only {
			continue
		}
		r, err := o.measureIn(dir, depth, runs, loops)
		if err != nil {
			return fmt.Errorf("%s in %s: %w", o.name, dir, err)
		}
		if err := out.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// measureIn makes a scene in dir, of the operation's name, and measures there.
func (o operation) measureIn(dir string, depth, runs, loops int) (row, error) {
	s, err := newScene(dir, o.name, depth)
	if err != nil {
		return row{}, err
	}
	defer s.remove()
	r, err := o.measure(s, runs, loops)
	r.Depth = depth
	return r, err
}

// measure runs the loop runs+1 times and drops the first: what is first after
// boot fills caches and reads high.
func (o operation) measure(s *scene, runs, loops int) (row, error) {
	step := o.prepare(s)
	var self, total []int64
	for run := range runs + 1 {
		t, err := timed(step, loops)
		if err != nil {
			return row{}, err
		}
		if run > 0 {
			self = append(self, t.self.Nanoseconds()/int64(loops))
			total = append(total, t.total.Nanoseconds()/int64(loops))
		}
	}
	slices.Sort(self)
	slices.Sort(total)
	return row{
		Op: o.name, Self: self[runs/2], Total: total[runs/2], Spread: self[runs-1] - self[0],
		Runs: runs, Loops: loops,
	}, nil
}

// spent is the time that a loop took, by two clocks.
type spent struct{ self, total time.Duration }

func timed(step func() unix.Errno, loops int) (spent, error) {
	before, err := now()
	if err != nil {
		return spent{}, err
	}
	for range loops {
		if errno := step(); errno != 0 {
			return spent{}, errno
		}
	}
	after, err := now()
	return spent{after.self - before.self, after.total - before.total}, err
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
