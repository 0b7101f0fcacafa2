// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"

	"github.com/falco-fim/fim/watch"
)

// ship writes the states from a number on into the kernel's tables. Edges go
// first: a state without its edges would lead astray, an edge without its
// state leads nowhere.
func ship(o *objects, d *watch.DFA, from uint32) error {
	var edges []trampolinesEdge
	var targets []uint32
	var numbers []uint32
	var states []trampolinesState
	for n, s := range d.States(from) {
		for name, to := range s.Names {
			edges, targets = append(edges, edgeOf(n, name)), append(targets, to)
		}
		numbers, states = append(numbers, n), append(states, stateOf(s))
	}
	if err := update(o.table("edges"), edges, targets); err != nil {
		return fmt.Errorf("write the automaton's edges: %w", err)
	}
	if err := update(o.table("states"), numbers, states); err != nil {
		return fmt.Errorf("write the automaton's states: %w", err)
	}
	return nil
}

func edgeOf(from uint32, name string) trampolinesEdge {
	e := trampolinesEdge{From: from}
	for i := range min(len(name), watch.KeyLen) {
		e.Name[i] = int8(name[i])
	}
	return e
}

func stateOf(s watch.State) trampolinesState {
	row := trampolinesState{Next: s.Default}
	if s.Named {
		row.Flags |= uint32(trampolinesStateFlagSTATE_NAMED)
	}
	if s.Accept {
		row.Flags |= uint32(trampolinesStateFlagSTATE_ACCEPTS)
	}
	return row
}

// update writes many entries with one system call where the kernel can (5.6
// for hashes and arrays).
func update[K, V any](m *ebpf.Map, keys []K, values []V) error {
	if len(keys) == 0 {
		return nil
	}
	_, err := m.BatchUpdate(keys, values, nil)
	if !errors.Is(err, ebpf.ErrNotSupported) {
		return err
	}
	for i := range keys {
		if err := m.Put(keys[i], values[i]); err != nil {
			return err
		}
	}
	return nil
}
