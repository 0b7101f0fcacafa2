// SPDX-License-Identifier: Apache-2.0

// Package mount reads mount tables as /proc/PID/mountinfo shows them and maps
// paths on the host to paths inside filesystems and back. It is pure over text:
// only [Read] opens a file, no other file is ever looked at.
//
// A table says what is visible from the root directory of the process whose
// mountinfo it is. Mounts hide each other: of several on one mountpoint only the
// last counts, and a mount over a directory hides the mounts below that
// directory. A hidden mount stays in [Table.Mounts] but no path leads there.
//
// What may surprise: the device of a mount is the superblock's (s_dev), which
// for btrfs subvolumes and overlayfs is not what stat(2) shows of a file inside.
// A bind mount's root may have been deleted, lie outside the reader's cgroup
// namespace, or be no path at all; and NFS hides it. Then no path is derived.
package mount
