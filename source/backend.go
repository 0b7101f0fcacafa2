// SPDX-License-Identifier: Apache-2.0

package source

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/watch"
)

// Backend delivers events: from the kernel, or from a file in a replay.
type Backend interface {
	// Next fills e with the next event, whose slices are valid until the next
	// call. A live backend sets Boot and leaves out what this process did itself,
	// a replay sets Time. It returns [os.ErrDeadlineExceeded] when nothing came
	// until the deadline, and is never called concurrently.
	Next(e *event.Event, deadline time.Time) error
	// Stats returns what the backend counts, for metrics; it may be called from
	// any thread, and after Close.
	Stats() []Counter
	// Watches tells people what is watched, one line each.
	Watches() []string
	// Close releases all that the backend holds.
	Close() error
}

// setup is what a backend is opened with.
type setup struct {
	set    *watch.Set
	ops    []event.Op
	named  bool   // the configuration names the operations
	inside bool   // containers too
	follow bool   // what is moved out of the watched places is followed
	failed bool   // refused attempts are wanted too
	root   string // where the host's root is mounted
	ring   int    // KiB
	logf   func(format string, args ...any)
}

// setup looks at the host and resolves the patterns.
func (c *Config) setup() (setup, error) {
	if err := checkHost(c.HostRoot); err != nil {
		return setup{}, err
	}
	set, err := watch.Compile(watch.Options{
		Include: c.included(), Exclude: patterns(c.Exclude), Direct: c.Direct,
	})
	if err != nil {
		return setup{}, fmt.Errorf("watch: with symbolic links resolved: %w", err)
	}
	return setup{
		follow: c.Follow, set: set, ops: c.ops(), named: !slices.Equal(c.Events, defaultEvents()), failed: c.Failed, inside: c.Containers,
		root: c.HostRoot, ring: c.RingBufferKiB, logf: c.logf,
	}, nil
}

// opener is one way to get events.
type opener struct {
	name string
	open func(setup) (Backend, error)
}

// backends are tried by `auto` in this order. To add one, add its row.
var backends = []opener{
	{"ebpf", openEBPF},
	{"fanotify", openFanotify},
}

// backendNames is what Config.Backend may be.
func backendNames() []string {
	names := []string{auto}
	for _, b := range backends {
		names = append(names, b.name)
	}
	return names
}

// Refusal says why a backend was not taken.
type Refusal struct {
	Backend string
	Err     error
}

func (r Refusal) String() string { return r.Backend + ": " + r.Why() }

// Why is the reason, without the name of the backend.
func (r Refusal) Why() string { return strings.TrimPrefix(r.Err.Error(), r.Backend+" backend: ") }

// openFirst opens the backend called name, or for auto the first that works;
// refused tells of those before it.
func openFirst(name string, s setup) (b Backend, taken string, refused []Refusal, err error) {
	for _, o := range backends {
		if name != auto && name != o.name {
			continue
		}
		b, err := o.open(s)
		if err == nil {
			return hear(b), o.name, refused, nil
		}
		refused = append(refused, Refusal{o.name, err})
	}
	return nil, "", refused, refusedError(refused)
}

// refusedError is the error when no backend is left.
func refusedError(refused []Refusal) error {
	e := &noBackend{text: "no backend works here: "}
	if len(refused) == 1 {
		e.text = "backend "
	}
	for i, r := range refused {
		if i > 0 {
			e.text += "; "
		}
		e.text += r.String()
		e.causes = append(e.causes, r.Err)
	}
	return e
}

// noBackend keeps each backend's error for errors.Is, on one line.
type noBackend struct {
	text   string
	causes []error
}

func (e *noBackend) Error() string   { return e.text }
func (e *noBackend) Unwrap() []error { return e.causes }
