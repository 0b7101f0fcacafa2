// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"runtime"

	"golang.org/x/sys/unix"
)

const schedFIFO = 1 // SCHED_FIFO of include/uapi/linux/sched.h

// undisturbed calls f where no ordinary task preempts it, if the process may ask for
// that (CAP_SYS_NICE): while a task that was preempted in a map call of bpf(2) waits,
// the kernel runs no probe on its processor. f must be short.
func undisturbed(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := unix.SchedGetAttr(0, 0)
	if err != nil || unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: schedFIFO, Priority: 1}, 0) != nil {
		return f()
	}
	defer unix.SchedSetAttr(0, before, 0)
	return f()
}
