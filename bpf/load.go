// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"syscall"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/rlimit"

	"github.com/falco-fim/fim/watch"
)

// sizes are the maps whose size depends on configuration and machine.
type sizes struct {
	ring  uint32 // bytes
	edges uint32
	joins uint32
	slots uint32
	cpus  uint32
}

// objects are the two loaded objects, which share all maps. Where nothing planned is
// a probe there is the first only: reading one takes as long as loading ten programs.
type objects struct {
	trampolines, probes *ebpf.Collection
}

func (o *objects) close() {
	for _, c := range []*ebpf.Collection{o.probes, o.trampolines} {
		if c != nil {
			c.Close()
		}
	}
}

func (o *objects) program(name string) *ebpf.Program {
	if p := o.trampolines.Programs[name]; p != nil {
		return p
	}
	if o.probes == nil {
		return nil
	}
	return o.probes.Programs[name]
}

func (o *objects) table(name string) *ebpf.Map { return o.trampolines.Maps[name] }

func (o *objects) variable(name string) *ebpf.Variable { return o.trampolines.Variables[name] }

// maxJoins is how many pairs of states the kernel can join by itself.
const maxJoins = 65536

// always are the programs that no hook stands for.
var always = []string{"arm", "process_exit"}

// load loads the programs that were planned, and no other.
func load(types *btf.Cache, symbols *symbolTable, all []*planned, s sizes, c constants) (*objects, error) {
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, fmt.Errorf("raise RLIMIT_MEMLOCK, which kernels before 5.11 charge BPF maps to: %w; run as root or with CAP_SYS_RESOURCE", err)
	}
	first, err := loadTrampolines()
	if err != nil {
		return nil, fmt.Errorf("read the embedded object: %w", err)
	}
	specs := []*ebpf.CollectionSpec{first}
	if slices.ContainsFunc(all, (*planned).isProbe) {
		second, err := loadProbes()
		if err != nil {
			return nil, fmt.Errorf("read the embedded object: %w", err)
		}
		specs = append(specs, second)
	}
	for _, spec := range specs {
		for name, address := range symbols.address {
			if err := spec.Variables[name].Set(address); err != nil {
				return nil, fmt.Errorf("set the address of %s: %w", name, err)
			}
		}
		if err := prepare(spec, all, s, c); err != nil {
			return nil, err
		}
	}
	return create(specs, types)
}

// create loads the objects, of which there are one or two, into the kernel.
func create(specs []*ebpf.CollectionSpec, types *btf.Cache) (o *objects, err error) {
	o = &objects{}
	shared := ebpf.CollectionOptions{MapReplacements: map[string]*ebpf.Map{}, Cache: types}
	if o.trampolines, err = ebpf.NewCollectionWithOptions(specs[0], shared); err != nil {
		return nil, refusal(err)
	}
	if len(specs) == 1 {
		return o, nil
	}
	for name, m := range o.trampolines.Maps {
		if name != ".rodata" { // which is each object's own
			shared.MapReplacements[name] = m
		}
	}
	if o.probes, err = ebpf.NewCollectionWithOptions(specs[1], shared); err != nil {
		o.close()
		return nil, refusal(err)
	}
	return o, nil
}

// prepare drops what is not used and sets what is only known here.
func prepare(spec *ebpf.CollectionSpec, all []*planned, s sizes, c constants) error {
	keep := map[string]bool{}
	for _, name := range always {
		keep[name] = true
	}
	for _, p := range all {
		if p.Why != "" {
			continue
		}
		for _, name := range p.programs(p.flavour) {
			keep[name] = true
		}
		if err := setPosition(spec, p); err != nil {
			return err
		}
	}
	maps.DeleteFunc(spec.Programs, func(name string, _ *ebpf.ProgramSpec) bool { return !keep[name] })
	for _, p := range spec.Programs {
		dropLines(p)
	}
	for name, n := range map[string]uint32{
		"ring": s.ring, "states": watch.MaxStates + 1, "edges": s.edges, "joins": s.joins,
		"scratches": s.slots, "idle": s.slots, "counts": s.cpus * uint32(trampolinesHookHOOKS), "walked": s.cpus,
	} {
		spec.Maps[name].MaxEntries = n
	}
	if c.follow == 0 {
		spec.Maps["followed"].MaxEntries = 1
	}
	return c.set(spec)
}

// dropLines leaves out which line of source each instruction is of, but for the first
// of a function, where the kernel insists. Only a verifier that refuses a program
// would tell it, and passing it on takes a tenth of the time of loading.
func dropLines(p *ebpf.ProgramSpec) {
	for i, instruction := range p.Instructions {
		if btf.FuncMetadata(&instruction) == nil {
			p.Instructions[i] = instruction.WithSource(nil)
		}
	}
}

// constants are what the programs know of the configuration before they are
// loaded: branches for anything else cost nothing.
type constants struct {
	wanted     uint32 // operations, bit by number
	failed     uint32 // 1: refused attempts are asked for
	start      uint32 // state of the host's root directory
	containers uint32 // 1: the root of each overlay filesystem counts as the host's
	follow     uint32 // 1: what is moved out of the watched places is followed
	resolves   uint32 // 1: the end of each operation is watched, so one unseen was missed
}

func constantsFor(o Options, t traits, all []*planned, parted map[string]bool) (c constants) {
	for _, op := range o.seen() {
		c.wanted |= 1 << op
	}
	if o.Failed {
		c.failed = 1
	}
	if o.Containers {
		c.containers = 1
	}
	if o.Follow != nil {
		c.follow = 1
	}
	if t.preemptible && !slices.ContainsFunc(all, func(p *planned) bool { return p.missesEnding(parted) }) {
		c.resolves = 1
	}
	return c
}

func (c constants) set(spec *ebpf.CollectionSpec) error {
	var errs []error
	for name, value := range map[string]uint32{
		"wanted": c.wanted, "start": c.start, "report_failed": c.failed, "resolves": c.resolves,
		"containers": c.containers, "follow": c.follow, "nobody": nobody,
	} {
		errs = append(errs, spec.Variables[name].Set(value))
	}
	return errors.Join(errs...)
}

func setPosition(spec *ebpf.CollectionSpec, p *planned) error {
	v := spec.Variables[p.function+"_at"]
	if v == nil || len(p.params) == 0 {
		return nil
	}
	if err := v.Set(p.position); err != nil {
		return fmt.Errorf("set the parameters' positions of %s: %w", p.function, err)
	}
	return nil
}

// ErrRefused is in every error of [Open] that another kernel, or other rights,
// would not give.
var ErrRefused = errors.New("the kernel refuses")

// refusal says what to do when the kernel does not take a program.
func refusal(err error) error {
	hint := "see the kernel's log"
	switch {
	case errors.Is(err, syscall.EPERM):
		hint = "run as root or with CAP_BPF, CAP_PERFMON and CAP_SYS_RESOURCE, and check that kernel lockdown or a seccomp filter does not forbid BPF; backend fanotify works without it"
	case errors.Is(err, ebpf.ErrNotSupported), errors.Is(err, syscall.EINVAL):
		hint = "the kernel needs BTF, BPF trampolines and ring buffers (5.10 and later on x86, 6.0 and later on arm64); backend fanotify works without them"
	case errors.Is(err, syscall.ENOMEM):
		hint = "not enough memory for the maps: lower ring_buffer_kib"
	}
	return fmt.Errorf("%w: load BPF programs: %w: %s", ErrRefused, err, hint)
}

// kernelTypes reads the kernel's BTF, once for all that needs it: it is big.
func kernelTypes() (*btf.Cache, *btf.Spec, error) {
	cache := btf.NewCache()
	kernel, err := cache.Kernel()
	if err != nil {
		return nil, nil, fmt.Errorf("%w: read the kernel's types (/sys/kernel/btf/vmlinux): %w: the kernel needs CONFIG_DEBUG_INFO_BTF", ErrRefused, err)
	}
	return cache, kernel, nil
}

// sizesFor returns the sizes for an automaton and a ring of so many KiB.
func sizesFor(d *watch.DFA, ringKiB int) (sizes, error) {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return sizes{}, fmt.Errorf("count the processors: %w", err)
	}
	edges := 0
	for _, s := range d.States(d.First()) {
		edges += len(s.Names)
	}
	ring := uint32(os.Getpagesize())
	for ring < uint32(ringKiB)*1024 {
		ring *= 2
	}
	return sizes{
		ring: ring, edges: uint32(min(2*edges+8192, watch.MaxNames)), joins: maxJoins,
		// Each CPU can have a task inside a program, and where the kernel
		// preempts some more that wait in the middle of one.
		slots: uint32(2*cpus + 16),
		cpus:  uint32(cpus),
	}, nil
}
