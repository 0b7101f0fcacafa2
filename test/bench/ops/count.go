// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// count repeats what measure does, and counts how often BPF programs ran.
func (o operation) count(s *scene, p passes) (uint64, error) {
	loop, err := o.loop(s)
	if err != nil {
		return 0, err
	}
	stats, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	if err != nil {
		return 0, fmt.Errorf("have the kernel count the runs of BPF programs: %w; run as root", err)
	}
	defer stats.Close()
	var sum uint64
	for range p.rounds + 1 {
		runs, err := counted(func() error { _, err := loop(p.loops); return err })
		if err != nil {
			return 0, err
		}
		sum += runs
		time.Sleep(p.pause)
	}
	return sum, nil
}

// counted is how often programs ran while do did.
func counted(do func() error) (uint64, error) {
	before, err := programRuns()
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := programRuns()
	return after - before, err
}

// programRuns sums the run counts of all programs that are loaded.
func programRuns() (sum uint64, err error) {
	for id := ebpf.ProgramID(0); ; {
		if id, err = ebpf.ProgramGetNextID(id); errors.Is(err, os.ErrNotExist) {
			return sum, nil
		}
		if err != nil {
			return 0, fmt.Errorf("list BPF programs: %w", err)
		}
		runs, err := runsOf(id)
		if err != nil {
			return 0, err
		}
		sum += runs
	}
}

func runsOf(id ebpf.ProgramID) (uint64, error) {
	program, err := ebpf.NewProgramFromID(id)
	if errors.Is(err, os.ErrNotExist) { // unloaded meanwhile
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look at BPF program %d: %w", id, err)
	}
	defer program.Close()
	stats, err := program.Stats()
	if err != nil {
		return 0, fmt.Errorf("read the statistics of BPF program %d: %w", id, err)
	}
	return stats.RunCount, nil
}

// names lists the operations.
func names() string {
	var list []string
	for _, o := range operations {
		list = append(list, o.name)
	}
	return strings.Join(list, ", ")
}
