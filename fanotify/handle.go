// SPDX-License-Identifier: Apache-2.0

package fanotify

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// The types of file handles whose layout is known here, from enum fid_type in
// include/linux/exportfs.h. A filesystem may use a number in its own way, so
// what is decoded is compared once with stat(2), see identity.
const (
	handleIno32       = 0x01 // generic: inode 32, generation; tmpfs: generation, inode 64 in halves
	handleIno32Parent = 0x02 // the same with those of the parent behind
	handleBtrfs       = 0x4d // objectid 64, root objectid 64, generation 32 (fs/btrfs/export.h)
	handleBtrfsParent = 0x4e
	handleBtrfsRoot   = 0x4f
	handleIno64       = 0x81 // xfs and others: inode 64, generation 32
	handleIno64Parent = 0x82
)

// inodeOf returns the inode number that a file handle of this type holds, or
// zero when the type is not known.
func inodeOf(kind int32, data []byte) uint64 {
	word := func(i int) uint64 { return uint64(binary.NativeEndian.Uint32(data[4*i:])) }
	switch {
	case kind == handleIno32 && len(data) == 8, kind == handleIno32Parent && len(data) == 16:
		return word(0)
	case kind == handleIno32 && len(data) == 12:
		return word(2)<<32 | word(1) // shmem_encode_fh of mm/shmem.c
	case (kind == handleIno64 || kind == handleIno64Parent) && len(data) >= 12,
		kind >= handleBtrfs && kind <= handleBtrfsRoot && len(data) >= 20:
		return binary.NativeEndian.Uint64(data)
	}
	return 0
}

// subvolumeOf returns the btrfs subvolume that the object is in; each has its
// own st_dev and its own inode numbers. It is zero for all other filesystems.
func subvolumeOf(kind int32, data []byte) uint64 {
	if kind >= handleBtrfs && kind <= handleBtrfsRoot && len(data) >= 20 {
		return binary.NativeEndian.Uint64(data[8:])
	}
	return 0
}

// refOf builds the ref of an object from what name_to_handle_at(2) returned, as
// the kernel would put it into an event.
func refOf(fsid [fsidLen]byte, h unix.FileHandle) ref {
	r := make(ref, 0, refHeaderLen+h.Size())
	r = append(r, fsid[:]...)
	r = binary.NativeEndian.AppendUint32(r, uint32(h.Size()))
	r = binary.NativeEndian.AppendUint32(r, uint32(h.Type()))
	return append(r, h.Bytes()...)
}
