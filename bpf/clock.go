// SPDX-License-Identifier: Apache-2.0

package bpf

import "golang.org/x/sys/unix"

// bootTime is CLOCK_BOOTTIME in nanoseconds, the clock of the programs.
func bootTime() uint64 {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
		return 0
	}
	return uint64(t.Nano())
}
