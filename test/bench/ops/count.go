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
	programs, err := loaded()
	if err != nil {
		return 0, err
	}
	defer programs.close()
	var sum uint64
	for range p.rounds + 1 {
		runs, err := programs.during(func() error { _, err := loop(p.loops); return err })
		if err != nil {
			return 0, err
		}
		sum += runs
		time.Sleep(p.pause)
	}
	return sum, nil
}

// programs are BPF programs, held open: to open and close one is itself
// something that programs see.
type programs []*ebpf.Program

// loaded returns all that the kernel has.
func loaded() (all programs, err error) {
	for id := ebpf.ProgramID(0); ; {
		if id, err = ebpf.ProgramGetNextID(id); errors.Is(err, os.ErrNotExist) {
			return all, nil
		}
		if err != nil {
			return all, errors.Join(fmt.Errorf("list BPF programs: %w", err), all.close())
		}
		program, err := ebpf.NewProgramFromID(id)
		if errors.Is(err, os.ErrNotExist) { // unloaded meanwhile
			continue
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open BPF program %d: %w", id, err), all.close())
		}
		all = append(all, program)
	}
}

func (all programs) close() error {
	var errs []error
	for _, p := range all {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}

// during is how often they ran while do did.
func (all programs) during(do func() error) (uint64, error) {
	before, err := all.runs()
	if err != nil {
		return 0, err
	}
	if err := do(); err != nil {
		return 0, err
	}
	after, err := all.runs()
	return after - before, err
}

func (all programs) runs() (sum uint64, err error) {
	for _, p := range all {
		stats, err := p.Stats()
		if err != nil {
			return 0, fmt.Errorf("read the statistics of BPF program %v: %w", p, err)
		}
		sum += stats.RunCount
	}
	return sum, nil
}

// names lists the operations.
func names() string {
	var list []string
	for _, o := range operations {
		list = append(list, o.name)
	}
	return strings.Join(list, ", ")
}
