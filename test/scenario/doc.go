// SPDX-License-Identifier: Apache-2.0

// Package scenario runs the scripts in scripts/: one behaviour per file, said
// as operations on files and the events that they must cause. The same scripts
// hold for every backend, filesystem and kernel; the test binary carries them
// and needs only the fim and actor programs beside it, so it runs unchanged
// inside a virtual machine:
//
//	scenario.test -fim ./fim -actor ./actor -backend fanotify -fs tmpfs,ext4
//
// A script is one of testscript, see
// https://pkg.go.dev/github.com/rogpeppe/go-internal/testscript. It begins in
// $W, the root of a fresh filesystem; $O is a second one, and $ID an id for a container. \xNN is one byte in
// any argument of these commands:
//
//	watch [FLAG...] PATTERN...   start "fim watch" and wait until it is ready
//	act STEP ARG... [, STEP...]  do exactly that; see test/actor
//	start NAME STEP...           the same in the background; join NAME ends it
//	container NAME BUNDLE        start a container of id $ID with runc, and go on when it
//	                             runs; @NAME is its first process, join NAME waits for its end
//	tool PROGRAM ARG...          run a real program
//	place FILE PATH              a file of the archive on the host, until the script ends
//	group PATH                   a control group, until the script ends
//	type KEYS PROGRAM ARG...     run a real program on a terminal, and type
//	stat NAME PATH               remember inode, device, mount and times as @NAME
//	repeat VAR TEXT COUNT        set VAR to TEXT that many times
//	pathlen VAR PREFIX LENGTH    set VAR to a path below PREFIX of that length
//	expect OP[,OP...] PATH [KEY=VALUE...]
//	                             the next events; see [ParseExpectation]
//	pause, resume                stop fim from reading, and let it go on
//	settle                       compare all events so far, exactly
//	any-order                    of events of processes that work beside each other
//	cannot BACKEND WHAT...       what this backend cannot know; see cannot.txt
//	replay-same                  settle, and fim replay prints what fim watch printed,
//	                             also as a table that no name can break
//	replay FILE CODE             fim replay of a file in the archive ends with CODE
//
// [BACKEND], [FILESYSTEM] or [kernel:SERIES] in front of a line restricts it to
// that one, as in "[kernel:5.10] cannot ebpf close=-"; [io_uring] and
// [protected_hardlinks] to kernels that have them.
//
// An expect right after act checks more than it says: the process is that of
// the actor, and what now lies at the path is the file of the event, unless the
// attempt was refused. Refused attempts are told with "watch --failed", and meant
// with failed=true: "expect unlink etc/f failed=true res=EACCES". Each
// script ends in a settle without saying so. Nothing may be missing, nothing
// may be extra, and the order counts. No script sleeps: settle changes a
// marker file of its own and reads events until that shows up.
//
// With -together scripts that watch with the same flags share one fim, in which each
// has its turn.
//
// A file "rows" in the archive runs the script once per line: a label and
// variables to set. Where the script has the lines "each" and "end-each", it runs
// once, and what is between them once per line.
package scenario
