// SPDX-License-Identifier: Apache-2.0

package event

// The words of [Lost].Reason. README.md says of each what to do.
const (
	LossQueueFull      = "queue_full"      // fanotify's queue ran over
	LossRingFull       = "ring_full"       // eBPF's ring buffer had no room
	LossMapFull        = "map_full"        // a BPF map had no room for what later events are told by
	LossScratchFull    = "scratch_full"    // more threads were inside the programs at once than have memory there
	LossPathUnstable   = "path_unstable"   // renames overtook every look at the path
	LossProgramSkipped = "program_skipped" // the kernel did not run a program
	LossOutcomeUnseen  = "outcome_unseen"  // neither success nor failure of what had begun was seen
	LossMounts         = "mounts"          // what is watched changed with the mounts in that moment
	LossMerged         = "merged"          // the kernel merged events of before and after a rename
	LossMalformed      = "malformed"       // a line of a replay, or a record of the kernel, could not be read
	LossBackendDown    = "backend_down"    // no backend is open
)

// LossReasons are all words of [Lost].Reason, in the order of the constants.
var LossReasons = []string{
	LossQueueFull, LossRingFull, LossMapFull, LossScratchFull, LossPathUnstable, LossProgramSkipped,
	LossOutcomeUnseen, LossMounts, LossMerged, LossMalformed, LossBackendDown,
}
