// SPDX-License-Identifier: Apache-2.0

package source

import "errors"

// Verdict is what became of the attempt to open one backend.
type Verdict struct {
	// Refusal has the backend's name, and why it does not open; no error when it
	// does.
	Refusal
	// Taken says that a stream with this configuration would take it.
	Taken bool
	// Watches is what it would watch, a line each.
	Watches []string
	// Hooks are the kernel functions that it attaches to, where it does, and
	// Choice how the kind of its programs was decided, a line each.
	Hooks  []Hook
	Choice []string
}

// Hook is one kernel function and what became of it.
type Hook struct {
	Function string
	// Program is what hangs there, such as "lsm" or "kprobe + kretprobe".
	Program string
	// Needed names the operations that do not work without it; none means that
	// it adds a part to some.
	Needed []string
	// Variant are the parameters of the function on this kernel, where they
	// differ between kernels.
	Variant string
	// Why it is not attached; empty when it is.
	Why string
}

// hooked is a backend that attaches to kernel functions.
type hooked interface {
	attached() []Hook
	choice() []string
}

// Probe opens each backend with c, one after the other, and closes it again. It
// is how `fim check` knows what a stream would do, because it does the same.
// What a backend warns of while it opens goes to c.Log.
func Probe(c Config) ([]Verdict, error) {
	with, err := c.setup()
	if err != nil {
		return nil, err
	}
	c.warn(with.set)
	var list []Verdict
	taken := false
	for _, o := range backends {
		v := try(o, with)
		v.Taken = v.Err == nil && !taken && (c.Backend == auto || c.Backend == o.name)
		taken = taken || v.Taken
		list = append(list, v)
	}
	if !taken {
		return list, errors.New("no backend works here")
	}
	return list, nil
}

// try opens and closes one backend.
func try(o opener, s setup) Verdict {
	b, err := o.open(s)
	if err != nil {
		return Verdict{Refusal: Refusal{o.name, err}}
	}
	v := Verdict{Watches: b.Watches()}
	if h, ok := b.(hooked); ok {
		v.Hooks, v.Choice = h.attached(), h.choice()
	}
	v.Refusal = Refusal{o.name, b.Close()}
	return v
}
