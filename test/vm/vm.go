// SPDX-License-Identifier: Apache-2.0

// Package vm boots stock Debian kernels in QEMU and runs a directory of
// programs inside, as root, so that kernel-side code is tested on the kernels
// that users have.
//
// QEMU emulates the processor in software: no /dev/kvm is needed, a guest that
// panics harms nobody, and with Options.ICount guest time counts instructions.
// The first use of a kernel downloads it; see [Cache].
//
// What surprises: the guest's disks are thrown away. Only what the payload
// leaves in its folder "out" comes back.
package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Options say what to boot and what to run there.
type Options struct {
	// Kernel is the name of a row of [Kernels], such as "6.12".
	Kernel string
	// Payload is a directory with a run.sh. The guest gets a copy, writable, at
	// /payload, and runs `sh ./run.sh` there with nothing on standard input.
	Payload string
	// Out receives what run.sh left in /payload/out, and is replaced by it.
	// Empty means the directory out in Payload. Payload/out itself is never
	// seen by the guest, which starts with an empty one.
	Out string
	// Console receives what the guest prints, kernel and payload alike, as
	// printable UTF-8 lines without control sequences. nil discards it.
	Console io.Writer
	// Append is added to the kernel's command line: "lsm=…", "preempt=full".
	Append string
	// SMP is the number of processors, 2 when 0.
	SMP int
	// Memory is the guest's memory in QEMU's notation, "2G" when empty.
	Memory string
	// Timeout bounds the boot and the payload together, 5 minutes when 0.
	Timeout time.Duration
	// ICount makes one guest instruction take one nanosecond of guest time, so
	// that a timing loop inside counts instructions. It implies one processor.
	ICount bool
}

// Result is what the guest answered.
type Result struct {
	// ExitCode is that of run.sh, 128+N when signal N ended its shell.
	ExitCode int
	// Boot is the guest's uptime when run.sh started.
	Boot time.Duration
	// Image is the kernel that ran.
	Image Image
}

// The ways in which a guest fails to answer. A run.sh that fails is none of
// them: it has an exit code.
var (
	ErrTimeout = errors.New("the guest did not finish in time")
	ErrPanic   = errors.New("the guest's kernel panicked")
	ErrSilent  = errors.New("the guest ended without an answer")
)

// Failure wraps one of the errors above with the last lines of the console.
type Failure struct {
	Err  error
	Tail string
}

func (f *Failure) Error() string {
	return fmt.Sprintf("%v; its console ended with:\n%s", f.Err, f.Tail)
}

func (f *Failure) Unwrap() error { return f.Err }

// Run boots the kernel, runs the payload and returns when the machine is off.
// The error is a [*Failure] when the guest did not answer, and anything else
// when there was no guest to answer. Any number of guests may run at once, each
// with its own Out; since each keeps as many of the host's processors busy as it
// has of its own, more than fit make none of them finish sooner.
//
// A kernel that panics before the payload begins is booted once more, which c.Log
// tells: seen with QEMU 7.2 and two processors on a busy host, at a place where a kernel
// patches itself ("Oops: int3"). It has run nothing of the payload.
func (c *Cache) Run(ctx context.Context, o Options) (Result, error) {
	o = o.withDefaults()
	if _, err := os.Stat(filepath.Join(o.Payload, "run.sh")); err != nil {
		return Result{}, fmt.Errorf("vm: the payload needs a run.sh: %w", err)
	}
	root, err := c.Root(ctx)
	if err != nil {
		return Result{}, err
	}
	image, err := c.Kernel(ctx, o.Kernel)
	if err != nil {
		return Result{}, err
	}
	m := machine{Options: o, image: image, root: root}
	r, err := m.run(ctx)
	if errors.Is(err, ErrPanic) && m.answers.ready < 0 {
		c.logf("kernel %s panicked before the payload began, and boots again: %v", image.Release, err)
		r, err = m.run(ctx)
	}
	r.Image = image
	if err != nil {
		return r, fmt.Errorf("vm: kernel %s: %w", image.Release, err)
	}
	return r, nil
}

func (o Options) withDefaults() Options {
	if o.Out == "" {
		o.Out = filepath.Join(o.Payload, outName)
	}
	if o.Console == nil {
		o.Console = io.Discard
	}
	if o.SMP == 0 {
		o.SMP = 2
	}
	if o.ICount {
		o.SMP = 1
	}
	if o.Memory == "" {
		o.Memory = "2G"
	}
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Minute
	}
	return o
}
