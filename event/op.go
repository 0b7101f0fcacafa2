// SPDX-License-Identifier: Apache-2.0

package event

import "fmt"

// Op is what happened. The zero value is no operation.
type Op uint8

// The operations, numbered as the kernel side numbers them. Each reports a
// change that took place, unless [Event.Failed] says that it was refused.
const (
	_ Op = iota
	// OpOpen is an open of a file that existed.
	OpOpen
	// OpCreate is a new regular file; or, where [File.Type] is unknown, a new
	// name of something that was gone again before anyone could look.
	OpCreate
	// OpModify is a change of the content; by a backend that cannot tell how, a
	// truncation too.
	OpModify
	// OpClose is the close, after writing, of a file that was modified.
	OpClose
	// OpTruncate is truncate(2), ftruncate(2) or an open with O_TRUNC.
	OpTruncate
	// OpMmap is a shared mapping that can write: MAP_SHARED of a file that is open
	// for writing, also where mprotect(2) allows the writing only later.
	OpMmap
	OpRename
	OpLink
	OpSymlink
	OpUnlink
	OpMkdir
	OpRmdir
	// OpMknod is a new fifo, socket or device node.
	OpMknod
	OpChmod
	OpChown
	OpUtimes
	OpSetxattr
	OpRemovexattr
	// OpSetacl is a POSIX access control list that was set or removed.
	OpSetacl
	// OpChattr is a change of the inode's flags, as chattr(1) makes it
	// (FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR).
	OpChattr
	// OpExec is the execution of a file.
	OpExec
	// OpAttrib is a change of attributes by a backend that cannot tell which.
	OpAttrib
	// OpMount is a mount that came on the host, on a watched path or above one: it
	// hides what was there. [File] is the root of what was mounted.
	OpMount
	// OpUmount is a mount that went from there.
	OpUmount
	// OpLost says that events did not arrive; see [Lost].
	OpLost

	opEnd
)

var opNames = [opEnd]string{
	OpOpen: "open", OpCreate: "create", OpModify: "modify", OpClose: "close",
	OpTruncate: "truncate", OpMmap: "mmap", OpRename: "rename", OpLink: "link",
	OpSymlink: "symlink", OpUnlink: "unlink", OpMkdir: "mkdir", OpRmdir: "rmdir",
	OpMknod: "mknod", OpChmod: "chmod", OpChown: "chown", OpUtimes: "utimes",
	OpSetxattr: "setxattr", OpRemovexattr: "removexattr", OpSetacl: "setacl",
	OpChattr: "chattr", OpExec: "exec", OpAttrib: "attrib", OpMount: "mount", OpUmount: "umount", OpLost: "lost",
}

// Ops returns every operation in declaration order.
func Ops() []Op {
	ops := make([]Op, 0, opEnd-1)
	for op := OpOpen; op < opEnd; op++ {
		ops = append(ops, op)
	}
	return ops
}

// Attribute says whether o changes what a file is said to be, and neither its
// content nor its names.
func (o Op) Attribute() bool { return o >= OpChmod && o <= OpChattr || o == OpAttrib }

// String returns the operation's name as rules and payloads spell it.
func (o Op) String() string {
	if o == 0 || o >= opEnd {
		return fmt.Sprintf("op(%d)", uint8(o))
	}
	return opNames[o]
}

// ParseOp returns the operation called name.
func ParseOp(name []byte) (Op, error) {
	for op := OpOpen; op < opEnd; op++ {
		if opNames[op] == string(name) {
			return op, nil
		}
	}
	return 0, fmt.Errorf("unknown operation %q", name)
}

// Type is the type of a file. The zero value is unknown.
type Type uint8

// The file types that Linux has.
const (
	_ Type = iota
	TypeFile
	TypeDirectory
	TypeSymlink
	TypeFifo
	TypeSocket
	TypeChar
	TypeBlock

	typeEnd
)

var typeNames = [typeEnd]string{
	TypeFile: "file", TypeDirectory: "directory", TypeSymlink: "symlink", TypeFifo: "fifo",
	TypeSocket: "socket", TypeChar: "char", TypeBlock: "block",
}

// typeOfMode is indexed by the S_IFMT bits of st_mode, shifted right by 12.
var typeOfMode = [16]Type{
	0o10: TypeFile, 0o04: TypeDirectory, 0o12: TypeSymlink, 0o01: TypeFifo,
	0o14: TypeSocket, 0o02: TypeChar, 0o06: TypeBlock,
}

// TypeOf returns the type that mode, an st_mode as in inode(7), tells.
func TypeOf(mode uint32) Type { return typeOfMode[mode>>12&0xf] }

// String returns the type's name, or "" when it is not known.
func (t Type) String() string {
	if t >= typeEnd {
		return ""
	}
	return typeNames[t]
}

func parseType(name []byte) (Type, error) {
	for t := TypeFile; t < typeEnd; t++ {
		if typeNames[t] == string(name) {
			return t, nil
		}
	}
	return 0, fmt.Errorf("unknown file type %q", name)
}
