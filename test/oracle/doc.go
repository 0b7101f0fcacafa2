// SPDX-License-Identifier: Apache-2.0

// Package oracle holds fim to an account of its own of what happened. Threads of
// several processes do random operations on files, through several mounts, in
// several mount namespaces, on several filesystems, while "fim watch --format json"
// runs beside them. What must be told follows from what the calls returned and what
// lstat(2) says: nothing may be missing, nothing extra, nothing wrong.
//
// It shares no code with fim and no opinion either: patterns, paths and JSON lines
// have a second, smaller model here.
//
//	go test ./test/oracle -ops 10000 -seed 7
//
// An episode is a few hundred steps in a fresh tree of directories, and follows from
// its seed alone. Each worker owns its names, so it knows what a call does to them;
// directories above are moved under a lock, so that each path is known at each
// moment. One that fails is run again with fewer and fewer steps, and the shortest
// list that still fails is printed with the seed. The next episode has the next seed, so
// runs whose seeds lie close together play the same plans.
//
// Mounts come and go under the same lock: a part of the tree is bound in another place, which
// a pattern names or not, a filesystem in memory lies over an area that workers are
// in, on the host or in the namespace of one process, and goes again, at once or lazily.
// namespace.go is the mount table that the oracle keeps; by it each file has the paths
// that show it on the host at the moment.
//
// The fanotify backend is held to what it can know: events of one process on one
// object may be merged while nobody reads, so each must come at least once, no more
// often than it happened, in any order.
//
// -break drop, dup, swapdev or stalepath spoils what fim said on its way here, and
// the test must then fail.
//
// Compared are the operation, the paths on the host and as the process saw them, old and
// new, inode, device, type, sizes, result, process and thread. The view path of extended
// attributes may be absent on eBPF, and it is not compared what came of a descriptor that
// was written to where only Go can tell that nobody watches, and then moved; see
// backend.go and opening.go.
//
// "overlay-ext4" is an overlay filesystem with its layers on ext4, where workers act too. An
// episode has one of its own: what it begins with lies in the lower layer, half of it in
// the upper one as well, so that files are copied up, and whiteouts and opaque directories
// made. It is watched by the path where it is mounted, and what it does in its layers is nobody's
// event. fanotify cannot watch it.
package oracle
