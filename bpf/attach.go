// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// attachments keep every link referenced: one that is collected detaches
// without a word.
type attachments []link.Link

// attach hangs every planned program on its function, but those that wait and the one
// that tests leave out. A hook that operations need is an error, others are reported
// in their row.
func attach(o *objects, all []*planned, unseen string) (attachments, error) {
	exit, err := link.AttachRawTracepoint(link.RawTracepointOptions{Name: "sched_process_exit", Program: o.program("process_exit")})
	if err != nil {
		return nil, fmt.Errorf("attach to tracepoint sched_process_exit: %w", err)
	}
	links := attachments{exit}
	for _, p := range all {
		if p.Why != "" || p.waiting {
			continue
		}
		more, err := p.attach(o, unseen)
		links = append(links, more...)
		if err != nil {
			return nil, errors.Join(err, links.close())
		}
	}
	return links, nil
}

// Mounted hangs what waited for a filesystem that is among the host's mounts now. The
// thread that calls Next calls it.
func (b *Backend) Mounted(mounts []Mount) error {
	for _, p := range b.hooks {
		if !p.waiting || !p.uses(&b.o, mounts) {
			continue
		}
		links, err := p.attach(b.objects, "")
		b.mu.Lock()
		p.waiting = false
		b.links = append(b.links, links...)
		b.mu.Unlock()
		if err == nil && p.Why != "" {
			err = errors.New(p.Why)
		}
		if err != nil {
			return fmt.Errorf("attach to %s, for a filesystem that was mounted: %w", p.function, err)
		}
	}
	return nil
}

// attach hangs the programs of one hook.
func (p *planned) attach(o *objects, unseen string) (links attachments, err error) {
	for _, name := range p.programs(p.flavour) {
		if name == unseen {
			continue
		}
		l, err := attachOne(p, name, o.program(name))
		if err == nil {
			links = append(links, l)
			continue
		}
		p.Why = err.Error()
		if len(p.needed) > 0 {
			err = fmt.Errorf("%w: %s needs kernel function %s: attach %s: %w", ErrRefused, opNames(p.needed), p.function, name, err)
			return links, err
		}
		return links, nil
	}
	p.Attached = true
	return links, nil
}

// maxActive is how many calls of one function may wait for their return at
// once; what passes it is skipped and counted as missed.
const maxActive = 4096

func attachOne(p *planned, name string, program *ebpf.Program) (link.Link, error) {
	switch {
	case p.flavour == lsmFlavour:
		return link.AttachLSM(link.LSMOptions{Program: program})
	case p.flavour == fentryFlavour:
		return link.AttachTracing(link.TracingOptions{Program: program})
	case name == "kprobe_"+p.function:
		return link.Kprobe(p.function, program, nil)
	default:
		return attachReturn(p.function, program)
	}
}

// attachReturn asks for a large pool, which needs a writable tracefs; where there
// is none, as in many containers, the kernel's own size has to do, and what passes
// it is counted all the same.
func attachReturn(function string, program *ebpf.Program) (link.Link, error) {
	l, large := link.Kretprobe(function, program, &link.KprobeOptions{RetprobeMaxActive: maxActive})
	if large == nil {
		return l, nil
	}
	l, err := link.Kretprobe(function, program, nil)
	if err != nil {
		return nil, errors.Join(err, large)
	}
	return l, nil
}

// close detaches all at once: each alone waits for a grace period of the
// kernel.
func (a attachments) close() error {
	errs := make([]error, len(a))
	var wg sync.WaitGroup
	for i, l := range a {
		wg.Go(func() { errs[i] = l.Close() })
	}
	wg.Wait()
	return errors.Join(errs...)
}
