// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf/btf"

	"github.com/falco-fim/fim/event"
)

// Hook is what became of one row of the attach table, for people.
type Hook struct {
	Function string
	// Program is what hangs there: "lsm", "fentry", "fexit", "kprobe" or
	// "kretprobe" of the function.
	Program string
	// Variant tells which positions of parameters were found, where they differ
	// between kernels.
	Variant string
	// Needed are the operations that do not work without it.
	Needed []event.Op
	// Attached is false with the reason in Why.
	Attached bool
	Why      string
}

// planned is a hook with what was decided about it on this kernel.
type planned struct {
	*hook
	flavour  flavour
	position trampolinesPosition
	waiting  bool // for a filesystem that needs it
	Hook
}

// plan decides for each hook that the wanted operations use whether and how it
// is attached.
func plan(kernel *btf.Spec, t traits, ops []event.Op, failed bool, rows []hook) ([]*planned, error) {
	var all []*planned
	var missing []error
	for i := range rows {
		h := &rows[i]
		if !h.wanted(ops) || h.unless != "" && has(all, h.unless) || h.only != nil && !h.only(t, failed) {
			continue
		}
		p := &planned{hook: h, Hook: Hook{Function: h.function, Needed: h.needed}}
		if err := p.resolve(kernel, t); err != nil {
			p.Why = err.Error()
			if len(h.needed) > 0 && !replaced(h, rows) {
				missing = append(missing, fmt.Errorf("%s needs %w", opNames(h.needed), err))
			}
		}
		all = append(all, p)
	}
	return all, errors.Join(missing...)
}

func (h *hook) wanted(ops []event.Op) bool {
	uses := func(op event.Op) bool { return slices.Contains(h.needed, op) || slices.Contains(h.helps, op) }
	return slices.ContainsFunc(ops, uses)
}

// has says whether a function is planned and present.
func has(all []*planned, function string) bool {
	return slices.ContainsFunc(all, func(p *planned) bool { return p.function == function && p.Why == "" })
}

// replaced says whether another row stands in when h is missing.
func replaced(h *hook, rows []hook) bool {
	return slices.ContainsFunc(rows, func(r hook) bool { return r.unless == h.function && r.function != h.function })
}

// isProbe says whether its programs are in the second object.
func (p *planned) isProbe() bool { return p.Why == "" && p.flavour == kprobeFlavour }

// resolve finds the function in the kernel's BTF and picks the flavour.
func (p *planned) resolve(kernel *btf.Spec, t traits) error {
	proto, err := function(kernel, p.function)
	if err != nil {
		return err
	}
	p.flavour = t.choose(p.hook, p.hasLSM(kernel))
	if p.flavour == fentryFlavour && !p.twin && takesStruct(proto) {
		p.flavour = kprobeFlavour // what trampolines refused before 6.1
	}
	p.Program = strings.Join(p.programs(p.flavour), " + ")
	if len(p.params) == 0 || p.flavour == lsmFlavour {
		return nil
	}
	return p.positions(proto)
}

// takesStruct says whether a parameter is a struct by value.
func takesStruct(proto *btf.FuncProto) bool {
	return slices.ContainsFunc(proto.Params, func(p btf.FuncParam) bool {
		_, is := btf.UnderlyingType(p.Type).(*btf.Struct)
		return is
	})
}

// hasLSM says whether the kernel lets an LSM program take part in the hook.
func (h *hook) hasLSM(kernel *btf.Spec) bool {
	proto, err := function(kernel, "bpf_lsm_"+h.lsm)
	return err == nil && len(proto.Params) >= h.lsmParams
}

// function returns the prototype of a kernel function.
func function(kernel *btf.Spec, name string) (*btf.FuncProto, error) {
	var f *btf.Func
	if err := kernel.TypeByName(name, &f); err != nil {
		return nil, fmt.Errorf("kernel function %s: this kernel has none of that name", name)
	}
	proto, ok := f.Type.(*btf.FuncProto)
	if !ok {
		return nil, fmt.Errorf("kernel function %s: its BTF has no prototype", name)
	}
	return proto, nil
}

// positions finds the parameters by name: versions tell nothing, distributions
// carry changes back.
func (p *planned) positions(proto *btf.FuncProto) error {
	at := func(name string) (uint32, error) {
		i := slices.IndexFunc(proto.Params, func(q btf.FuncParam) bool { return q.Name == name })
		if i < 0 {
			return 0, fmt.Errorf("kernel function %s: no parameter is called %s (it has %s)", p.function, name, paramNames(proto))
		}
		return uint32(i), nil
	}
	for i, name := range p.params {
		var err error
		if p.position.Arg[i], err = at(name); err != nil {
			return err
		}
	}
	p.position.Result = uint32(len(proto.Params))
	if n, err := btf.Sizeof(proto.Return); err == nil && n == 8 { // int is an error number, long an address
		p.position.Wide = 1
	}
	p.Variant = paramNames(proto)
	return nil
}

func paramNames(proto *btf.FuncProto) string {
	names := make([]string, len(proto.Params))
	for i, p := range proto.Params {
		names[i] = p.Name
	}
	return "(" + strings.Join(names, ", ") + ")"
}

func opNames(ops []event.Op) string {
	if len(ops) == len(everything) {
		return "every operation"
	}
	names := make([]string, len(ops))
	for i, op := range ops {
		names[i] = op.String()
	}
	return strings.Join(names, ", ")
}
