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
	watches := b.Watches()
	return Verdict{Refusal: Refusal{o.name, b.Close()}, Watches: watches}
}
