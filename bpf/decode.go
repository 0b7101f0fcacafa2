// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bytes"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

const recordSize = int(unsafe.Sizeof(trampolinesRecord{}))

// raw is one record of the ring taken apart. Its slices alias the ring's copy.
type raw struct {
	*trampolinesRecord
	path, old, view, layer, text, acl, oldACL []byte
}

// split takes a record apart. The kernel side wrote it, so an error is a fault
// of fim's own or of memory.
func split(b []byte) (raw, error) {
	if len(b) < recordSize {
		return raw{}, fmt.Errorf("record of %d bytes, shorter than its header of %d", len(b), recordSize)
	}
	r := raw{trampolinesRecord: (*trampolinesRecord)(unsafe.Pointer(unsafe.SliceData(b)))}
	rest := b[recordSize:]
	for _, part := range []struct {
		to    *[]byte
		bytes int
	}{{&r.path, int(r.Path.Bytes)}, {&r.old, int(r.Old.Bytes)}, {&r.view, int(r.View.Bytes)}, {&r.layer, int(r.Layer.Bytes)}, {&r.text, int(r.TextBytes)}, {&r.acl, int(r.AclBytes)}, {&r.oldACL, int(r.OldAclBytes)}} {
		if part.bytes > len(rest) {
			return raw{}, fmt.Errorf("record of %d bytes, shorter than the names it announces", len(b))
		}
		*part.to, rest = rest[:part.bytes], rest[part.bytes:]
	}
	return r, nil
}

func (r *raw) has(f trampolinesFlag) bool { return r.Flags&uint32(f) != 0 }

// placeable says that the names lead to the filesystem's root and are of one
// moment.
func (r *raw) placeable() bool {
	return !r.has(trampolinesFlagFLAG_UNATTACHED) && !r.has(trampolinesFlagFLAG_CUT) && !r.has(trampolinesFlagFLAG_UNSTABLE)
}

// otherwiseNamed says whether the file has more names than the one that was used.
func (r *raw) otherwiseNamed() bool {
	if event.Op(r.Op) == event.OpUnlink && r.Error == 0 {
		return r.Now.Nlink > 0 // without that name
	}
	return r.Now.Nlink > 1
}

// dev is the device of the filesystem.
func (r *raw) dev() uint64 { return encoded(r.Dev) }

// encoded is a device as stat(2) encodes it; s_dev is major << 20 | minor.
func encoded(dev uint32) uint64 { return unix.Mkdev(dev>>20, dev&(1<<20-1)) }

// Filesystems whose st_dev is not the superblock's device (linux/magic.h).
const (
	btrfsMagic   = 0x9123683e
	overlayMagic = 0x794c7630
)

// statDev is the device as stat(2) shows it, 0 where that is not known: btrfs gives each
// subvolume one, overlayfs perhaps one to each layer's files.
func (r *raw) statDev() uint64 {
	if r.Magic == btrfsMagic || r.Magic == overlayMagic {
		return encoded(r.StatDev)
	}
	return r.dev()
}

// layered says that the path below the directory of the upper layer is one of the file
// too, or that of the file in a lower layer is known. Of a file that lies in a lower layer
// alone the first is so where its name is taken away, which the upper layer notes there.
func (r *raw) layered() bool {
	op := event.Op(r.Op)
	return r.LayerDev != 0 && (!r.has(trampolinesFlagFLAG_LOWER) || r.has(trampolinesFlagFLAG_BENEATH) || op == event.OpUnlink || op == event.OpRmdir)
}

// subvolumeRoot is the number of the root directory of each subvolume of btrfs
// (linux/btrfs_tree.h).
const subvolumeRoot = 256

// tree says that a directory comes or goes with all that is in it: a rename, or a
// subvolume.
func (r *raw) tree() bool {
	switch event.Op(r.Op) {
	case event.OpRename:
		return event.TypeOf(uint32(r.Now.Mode)) == event.TypeDirectory
	case event.OpMkdir, event.OpRmdir:
		return r.Magic == btrfsMagic && r.Ino == subvolumeRoot
	}
	return false
}

// appendPath appends "/" and each name, root first, from names as records
// hold them: leaf first, each ended by NUL.
func appendPath(dst, names []byte) []byte {
	for len(names) > 0 {
		names = names[:len(names)-1]
		i := bytes.LastIndexByte(names, 0) + 1
		dst = append(append(dst, '/'), names[i:]...)
		names = names[:i]
	}
	return dst
}

// leaf returns the first n names.
func leaf(names []byte, n uint16) []byte {
	end := 0
	for ; n > 0; n-- {
		i := bytes.IndexByte(names[end:], 0)
		if i < 0 {
			break
		}
		end += i + 1
	}
	return names[:end]
}

// rooted is a path of at least "/".
func rooted(dst []byte, start int) []byte {
	if len(dst) == start {
		dst = append(dst, '/')
	}
	return dst
}

// process fills what the record says of the actor.
func (r *raw) process(p *event.Process) {
	a := &r.Actor
	p.Pid, p.Tid, p.Ppid = uint64(a.Tgid), uint64(a.Tid), event.Known(uint64(a.Ppid))
	p.UID, p.GID = event.Known(uint64(a.Uid)), event.Known(uint64(a.Gid))
	if a.Loginuid != ^uint32(0) {
		p.LoginUID = event.Known(uint64(a.Loginuid))
	}
	p.RUID, p.RGID = event.Known(uint64(a.Ruid)), event.Known(uint64(a.Rgid))
	p.Comm, p.ThreadComm = text16(&a.Comm), text16(&a.ThreadComm)
	if a.Tid == a.Tgid {
		p.ThreadComm = p.Comm
	}
}

// file fills what the record says of the file itself.
func (r *raw) file(e *event.Event) {
	if r.Ino != 0 {
		e.File.Inode, e.File.Dev = r.Ino, r.statDev()
	}
	r.lies(&e.File)
	e.File.Type = event.TypeOf(uint32(r.Now.Mode))
	e.Old.Inode = r.OldIno
	if r.MountId != 0 {
		e.File.MountID = event.Known(uint64(r.MountId))
	}
	if r.has(trampolinesFlagFLAG_SIZE) && e.File.Type == event.TypeFile {
		e.File.Size = event.Known(r.Now.Size)
	}
	if r.has(trampolinesFlagFLAG_OLD_SIZE) {
		e.Old.Size = event.Known(r.Before.Size)
	}
	if r.has(trampolinesFlagFLAG_NOW) {
		now := &r.Now
		e.File.Nlink, e.File.Mode = event.Known(uint64(now.Nlink)), event.Known(permissions(now.Mode))
		e.File.UID, e.File.GID = event.Known(uint64(now.Uid)), event.Known(uint64(now.Gid))
		e.File.Mtime, e.File.Atime = event.UnixTime(now.Mtime, now.MtimeNsec), event.UnixTime(now.Atime, now.AtimeNsec)
		e.File.Deleted = now.Nlink == 0
	}
	if r.has(trampolinesFlagFLAG_BEFORE) {
		before := &r.Before
		e.Old.Mode = event.Known(permissions(before.Mode))
		e.Old.UID, e.Old.GID = event.Known(uint64(before.Uid)), event.Known(uint64(before.Gid))
		e.Old.Mtime = event.UnixTime(before.Mtime, before.MtimeNsec)
	}
}

// lies fills where a file of overlayfs lies.
func (r *raw) lies(f *event.File) {
	switch {
	case r.has(trampolinesFlagFLAG_LOWER):
		f.Layer = event.Lower
	case r.has(trampolinesFlagFLAG_UPPER):
		f.Layer, f.RealInode = event.Upper, r.RealIno
		if r.RealIno != 0 {
			f.RealDev = encoded(r.RealDev)
		}
	}
}

// permissions are the bits of st_mode that are not the type.
func permissions(mode uint16) uint64 { return uint64(mode) & 0o7777 }
