// SPDX-License-Identifier: Apache-2.0

package process

import (
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

// Complete adds to p, which names a process by its number and by what a kernel
// side recorded, what only /proc tells: executable, working directory, arguments.
// started is the process's start in nanoseconds since boot (CLOCK_BOOTTIME): a
// process that has the number now and started in another tick is another one, and
// adds nothing. Start is set in any case. Slices are valid until the next call.
func (r *Reader) Complete(pid int, started uint64, p *event.Process) {
	tick := uint64(1e9 / ticksPerSecond)
	p.Start = r.epoch + started/tick*tick
	dir, err := unix.Open(r.root+"/"+strconv.Itoa(pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(dir)
	text, err := read(dir, "stat", r.text)
	if err != nil {
		return
	}
	if st, ok := parseStat(text); ok && st.start == started/tick {
		r.program(dir, p)
	}
}

// program fills what the process runs.
func (r *Reader) program(dir int, p *event.Process) {
	p.Exe = r.link(dir, "exe", r.exe)
	p.Cwd = r.link(dir, "cwd", r.cwd)
	if args, err := read(dir, "cmdline", r.args); err == nil {
		r.argv = splitArgs(r.argv[:0], args)
		p.Argv = r.argv
	}
}
