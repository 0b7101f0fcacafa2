// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"encoding/binary"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

// facts are the buffers of what an event says of its operation beyond paths.
type facts struct {
	flags, oldFlags [][]byte
	acl, oldACL     []byte
}

// operation fills what the record says of the operation itself.
func (f *facts) operation(r *raw, e *event.Event) {
	text(r, e)
	if r.has(trampolinesFlagFLAG_GIVEN) {
		f.flags = given(f.flags[:0], e.Op, r.Given)
		e.Flags = f.flags
	}
	if r.has(trampolinesFlagFLAG_OLD_GIVEN) && r.has(trampolinesFlagFLAG_BEFORE) {
		f.oldFlags = named(f.oldFlags[:0], oldInodeFlags, r.OldGiven)
		e.Old.Flags = f.oldFlags
	}
	isDefault := string(r.text) == "system.posix_acl_default"
	if r.has(trampolinesFlagFLAG_ACL) {
		f.acl = appendACL(f.acl[:0], r.acl, isDefault)
		e.File.ACL = f.acl
	}
	if r.has(trampolinesFlagFLAG_OLD_ACL) {
		f.oldACL = appendACL(f.oldACL[:0], r.oldACL, isDefault)
		e.Old.ACL = f.oldACL
	}
	if r.has(trampolinesFlagFLAG_TEXT_CUT) {
		e.Truncated, e.File.ACL, e.Old.ACL = true, nil, nil
	}
}

// text is the string of the record: what it says depends on the operation.
func text(r *raw, e *event.Event) {
	switch {
	case len(r.text) == 0:
	case e.Op == event.OpSymlink:
		e.File.LinkTarget = r.text
	default:
		e.File.XattrName = r.text
	}
}

// flagName is a bit and its name, shared by all events.
type flagName struct {
	bit  uint32
	name []byte
}

func flagsOf(table ...any) (all []flagName) {
	for i := 0; i < len(table); i += 2 {
		all = append(all, flagName{uint32(table[i].(int)), []byte(table[i+1].(string))})
	}
	return all
}

// The flags of each operation, as include/uapi has them.
var (
	accessModes = [...][]byte{unix.O_RDONLY: []byte("O_RDONLY"), unix.O_WRONLY: []byte("O_WRONLY"), unix.O_RDWR: []byte("O_RDWR")}
	// O_SYNC is two bits of which O_DSYNC is one, and O_TMPFILE holds O_DIRECTORY.
	openFlags = flagsOf(unix.O_CREAT, "O_CREAT", unix.O_EXCL, "O_EXCL", unix.O_NOCTTY, "O_NOCTTY", unix.O_TRUNC, "O_TRUNC",
		unix.O_APPEND, "O_APPEND", unix.O_NONBLOCK, "O_NONBLOCK", unix.O_DSYNC, "O_DSYNC", unix.O_DIRECT, "O_DIRECT",
		unix.O_DIRECTORY, "O_DIRECTORY", unix.O_NOFOLLOW, "O_NOFOLLOW",
		unix.O_NOATIME, "O_NOATIME", unix.O_CLOEXEC, "O_CLOEXEC", unix.O_SYNC&^unix.O_DSYNC, "O_SYNC")
	renameFlags = flagsOf(unix.RENAME_NOREPLACE, "RENAME_NOREPLACE", unix.RENAME_EXCHANGE, "RENAME_EXCHANGE", unix.RENAME_WHITEOUT, "RENAME_WHITEOUT")
	mmapFlags   = flagsOf(unix.PROT_READ, "PROT_READ", unix.PROT_WRITE, "PROT_WRITE", unix.PROT_EXEC, "PROT_EXEC", 0x100, "MAP_SHARED")
	xattrFlags  = flagsOf(unix.XATTR_CREATE, "XATTR_CREATE", unix.XATTR_REPLACE, "XATTR_REPLACE")
	inodeFlags  = flagsOf(0x1, "FS_SECRM_FL", 0x2, "FS_UNRM_FL", 0x4, "FS_COMPR_FL", 0x8, "FS_SYNC_FL", 0x10, "FS_IMMUTABLE_FL",
		0x20, "FS_APPEND_FL", 0x40, "FS_NODUMP_FL", 0x80, "FS_NOATIME_FL", 0x4000, "FS_JOURNAL_DATA_FL", 0x8000, "FS_NOTAIL_FL",
		0x10000, "FS_DIRSYNC_FL", 0x20000, "FS_TOPDIR_FL", 0x800000, "FS_NOCOW_FL", 0x2000000, "FS_DAX_FL", 0x20000000, "FS_PROJINHERIT_FL")
	// What an inode itself keeps (S_* of include/linux/fs.h), by the same names.
	oldInodeFlags = flagsOf(1<<0, "FS_SYNC_FL", 1<<1, "FS_NOATIME_FL", 1<<2, "FS_APPEND_FL", 1<<3, "FS_IMMUTABLE_FL", 1<<6, "FS_DIRSYNC_FL")
)

// given names the flags that an operation was given.
func given(dst [][]byte, op event.Op, bits uint32) [][]byte {
	switch op {
	case event.OpOpen, event.OpCreate:
		if mode := bits & unix.O_ACCMODE; int(mode) < len(accessModes) {
			dst = append(dst, accessModes[mode])
		}
		return named(dst, openFlags, bits)
	case event.OpRename:
		return named(dst, renameFlags, bits)
	case event.OpMmap:
		return named(dst, mmapFlags, bits)
	case event.OpSetxattr:
		return named(dst, xattrFlags, bits)
	case event.OpChattr:
		return named(dst, inodeFlags, bits)
	}
	return dst
}

func named(dst [][]byte, table []flagName, bits uint32) [][]byte {
	for i := range table {
		if bits&table[i].bit != 0 {
			dst = append(dst, table[i].name)
		}
	}
	return dst
}

// aclTags are the entries of acl(5) by tag (linux/posix_acl.h); those of users
// and groups by number carry the number.
var aclTags = map[uint16]string{0x01: "user:", 0x02: "user:", 0x04: "group:", 0x08: "group:", 0x10: "mask:", 0x20: "other:"}

// appendACL writes entries as `getfacl -c` does, on one line with commas; one
// with a tag that is not known leaves the list unknown.
func appendACL(dst, entries []byte, isDefault bool) []byte {
	if len(entries) == 0 {
		return append(dst, event.NoACL...)
	}
	start := len(dst)
	for ; len(entries) >= 8; entries = entries[8:] {
		tag, perm := binary.NativeEndian.Uint16(entries), binary.NativeEndian.Uint16(entries[2:])
		name, ok := aclTags[tag]
		if !ok {
			return nil
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		if isDefault {
			dst = append(dst, "default:"...)
		}
		dst = append(dst, name...)
		if tag == 0x02 || tag == 0x08 {
			dst = strconv.AppendUint(dst, uint64(binary.NativeEndian.Uint32(entries[4:])), 10)
		}
		dst = append(dst, ':', bit(perm, 4, 'r'), bit(perm, 2, 'w'), bit(perm, 1, 'x'))
	}
	return dst
}

func bit(perm, mask uint16, letter byte) byte {
	if perm&mask == 0 {
		return '-'
	}
	return letter
}
