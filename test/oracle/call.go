// SPDX-License-Identifier: Apache-2.0

package oracle

// Call is what a worker's process is asked to do: a step with its paths as the process
// sees them.
type Call struct {
	Do     string
	A, B   string
	N      int
	Nobody bool
	// Lazily says of umount that it does not wait for who is still there.
	Lazily bool
}

// Answer is what came of it.
type Answer struct {
	Pid, Tid int
	// Facts are what took place, in order; none when the call was refused.
	Facts []Fact
	// Open says that the worker holds a file open now.
	Open bool
	// Trouble is a failure of the test itself.
	Trouble string
}

// Fact is one thing that took place.
type Fact struct {
	Op string
	// At is where, From the older name of a rename or link.
	At, From Spot
	File     Stat
	// Replaced is the inode that a rename replaced.
	Replaced uint64
	// Size and Old are sizes after and before, or unsized.
	Size, Old int64
	// Open says that it was done through an open file: a closing is told, and as what, by
	// what was told of that before.
	Open bool
	// Shared says that the process has the file open more than once.
	Shared bool
	// Maybe says that it need not be told.
	Maybe bool
}

// Spot says which path of a call is meant.
type Spot string

// The spots.
const (
	none Spot = ""
	atA  Spot = "A"
	atB  Spot = "B"
	held Spot = "held" // the file that the worker holds open
)

const unsized = -1

// Stat is what lstat(2) said.
type Stat struct {
	Ino, Dev uint64
	Mode     uint32
	Size     int64
	Nlink    uint64
}
