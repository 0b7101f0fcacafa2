// SPDX-License-Identifier: Apache-2.0

// Package fanotify is the backend for kernels that refuse BPF trampolines: one
// fanotify group with a mark on each filesystem that holds watched paths, see
// fanotify(7).
//
// Events name directories by file handle. Where a directory was when an event
// happened is found out from the stream itself: a tree of the directories met
// so far moves forward with each rename, creation and deletion in the order of
// events, and what is not in it is looked up in the filesystem and then taken
// back to the event's position with what the stream says behind it. So paths
// are those of the event's moment, also in trees that were moved meanwhile.
//
// Where that is on the host the mount table says. It changes beside the stream, so an
// event from about that time is judged by the table before and the one after, see era:
// what they do not agree on is left out.
//
// What this backend cannot know is absent, and these limits are the kernel's:
//
//   - It merges equal events, and the operations of one process on one name,
//     while they wait to be read. A merged event is expanded in the order in
//     which such things happen: create or link, open, modify, close, attrib,
//     unlink. Other orders are possible where a file with several names loses
//     and gets one, or is changed and closed more than once. A removal is told
//     when it took place, as far as other events prove it, see settler; other
//     operations have the path of the first that they were merged with, also if
//     the directory was moved in between.
//   - A directory renamed back and forth while the events wait may have been
//     renamed more often than is told. What happened in it meanwhile has no host
//     path, and if it may have been outside of the watch, a lost event with the
//     reason "merged" stands for it.
//   - What happens in a filesystem between its mounting and the next reading,
//     which marks it, is not seen.
//   - Of what happens right before or after a mount or an umount it is not known
//     whether it was before or after. Where only one of both is watched, a lost event
//     with the reason "mounts" stands for it; where the two have different paths, it
//     has none. What is mounted and unmounted again before the table is read is not
//     known to have been there.
//   - A shared mapping and stores through it raise no event, nor does a change of
//     an inode's flags. A refused operation raises none either. Executions are not told: the kernel has an event of
//     their attempt only.
//   - A truncation is told as modify, and any change of attributes as attrib.
//   - The actor of a close is the process that had the file open last. It wrote
//     to it itself, or, if it did not, another did and it holds the descriptor
//     that was handed over, or opened the file meanwhile.
//   - Which file a rename replaced, the path as the process saw it, and sizes,
//     owners and modes at the moment of the event are not known.
//   - The queue is the kernel's default, sysctl fs.fanotify.max_queued_events
//     (16,384 events). It could be unlimited, but then a flood of events on a
//     marked filesystem would end in the out-of-memory killer, in this process
//     or another. What did not fit is told by a lost event.
package fanotify
