// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"fmt"
	"strings"
)

// Step is one thing that a worker is told to do. It may well fail; nothing
// depends on the steps before it, so any of them may be left out.
type Step struct {
	Worker int
	Do     string
	// A and B are names of the worker's own; moves and mounts have none.
	A, B Name
	// N is a size, mode, flag or number; what it means depends on Do.
	N int
	// View is the mount through which it is done; counted modulo what there is.
	View int
	// Nobody says that it is done as user 65534.
	Nobody bool
}

// Name is a path below one of the two directories that a worker owns, its nests.
type Name struct {
	Nest int
	Rel  string
}

func (n Name) String() string {
	if n.Rel == "" {
		return "-"
	}
	return fmt.Sprintf("%d:%q", n.Nest, n.Rel)
}

func (s Step) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "worker %d: %s %s %s n=%d view=%d", s.Worker, s.Do, s.A, s.B, s.N, s.View)
	if s.Nobody {
		b.WriteString(" as nobody")
	}
	return b.String()
}

// moves are the steps that move directories above the names of several workers.
const (
	moveHub  = "move-hub"  // hub N%hubs to area B
	moveNest = "move-nest" // the worker's nest N%2 to another hub
	swapHubs = "swap-hubs" // two hubs change places
)

func (s Step) moves() bool { return s.Do == moveHub || s.Do == moveNest || s.Do == swapHubs }

// remounts are the steps that change the mounts of a worker's process.
const (
	bindPart  = "bind-part"  // part N of the world at a point of two, View
	coverArea = "cover-area" // a filesystem in memory over area N
	unmount   = "unmount"    // the N-th of those that came, lazily for half of View
)

func (s Step) remounts() bool { return s.Do == bindPart || s.Do == coverArea || s.Do == unmount }

// Steps is a plan, one step a line.
type Steps []Step

func (all Steps) String() string {
	var b strings.Builder
	for _, s := range all {
		fmt.Fprintf(&b, "  %s\n", s)
	}
	return b.String()
}
