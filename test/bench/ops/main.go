// SPDX-License-Identifier: Apache-2.0

// Command ops measures what a file operation costs the process that does it.
// It repeats it in a loop, at the bottom of a chain of directories, and prints
// a line of JSON with the time of one.
//
// In a guest that counts instructions as nanoseconds that time is instructions,
// repeatable to a few percent on a machine however busy; see test/bench/kernel.
// On a host it is what it says.
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
)

// row is the output: one operation measured.
type row struct {
	Depth int    `json:"depth"`
	Op    string `json:"op"`
	// Insns is what one operation takes of the calling thread's processor time,
	// in nanoseconds: kernel and hooks included, readers of events not. The
	// median of the rounds.
	Insns int64 `json:"insns"`
	// Total is what the clock on the wall says for the same rounds. On one
	// processor that includes everything else that ran meanwhile.
	Total int64 `json:"total"`
	// Spread is the difference between the dearest and the cheapest round, in
	// Insns.
	Spread int64 `json:"spread"`
	Ops    int   `json:"ops"` // operations done, those to warm up included
	// Runs is how often BPF programs ran during as many operations again, which
	// are not measured, because counting costs instructions. All programs of the
	// machine count, so there should be no others.
	Runs uint64 `json:"runs"`
}

// passes say how often an operation is repeated.
type passes struct {
	rounds, loops int           // rounds of so many loops are measured, after one to warm up
	pause         time.Duration // after each round: readers of events catch up
	count         bool          // count the programs' runs as well
}

func (p passes) ops() int { return (p.rounds + 1) * p.loops }

func main() {
	var at place
	var p passes
	flag.StringVar(&at.dir, "dir", "", "directory in which to work; it is left as it was")
	flag.StringVar(&at.aside, "aside", "", "directory beside it, in the same filesystem, for open_after_rename")
	flag.IntVar(&at.depth, "depth", 10, "directories between dir and the files")
	op := flag.String("op", "", "the operation")
	flag.IntVar(&p.rounds, "rounds", 9, "measured rounds, after one to warm up")
	flag.IntVar(&p.loops, "loops", 1000, "operations in a round")
	flag.DurationVar(&p.pause, "pause", 0, "let readers of events catch up for so long after each round")
	flag.BoolVar(&p.count, "count", false, "count the runs of BPF programs in a second pass (needs root)")
	flag.Parse()
	if err := run(at, *op, p); err != nil {
		fmt.Fprintf(os.Stderr, "ops: %s in %s: %v\n", *op, at.dir, err)
		os.Exit(1)
	}
}

func run(at place, name string, p passes) error {
	// No collector works beside it: only the operation may differ between two
	// measurements.
	debug.SetGCPercent(-1)
	i := slices.IndexFunc(operations, func(o operation) bool { return o.name == name })
	if i < 0 {
		return fmt.Errorf("no such operation; there are %s", names())
	}
	r, err := operations[i].run(at, p)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// run measures, then counts. Each has a scene of its own, whose name tells the
// events of the one from those of the other.
func (o operation) run(at place, p passes) (r row, err error) {
	// The clock is one thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err = within(at, o.name, func(s *scene) error {
		r, err = o.measure(s, p)
		return err
	})
	if err != nil || !p.count {
		return r, err
	}
	err = within(at, "counted", func(s *scene) error {
		r.Runs, err = o.count(s, p)
		return err
	})
	return r, err
}

func within(at place, name string, do func(*scene) error) error {
	s, err := newScene(at, name)
	if err != nil {
		return err
	}
	defer s.remove()
	return do(s)
}

// measure drops the first round: what is first after boot fills caches and
// reads high.
func (o operation) measure(s *scene, p passes) (row, error) {
	loop, err := o.loop(s)
	if err != nil {
		return row{}, err
	}
	var self, total []int64
	for round := range p.rounds + 1 {
		t, err := loop(p.loops)
		if err != nil {
			return row{}, err
		}
		time.Sleep(p.pause)
		if round > 0 {
			self = append(self, t.self.Nanoseconds()/int64(p.loops))
			total = append(total, t.total.Nanoseconds()/int64(p.loops))
		}
	}
	slices.Sort(self)
	slices.Sort(total)
	return row{
		Depth: s.depth, Op: o.name, Ops: p.ops(),
		Insns: self[p.rounds/2], Total: total[p.rounds/2], Spread: self[p.rounds-1] - self[0],
	}, nil
}
