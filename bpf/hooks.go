// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"runtime"
	"slices"

	"github.com/falco-fim/fim/event"
)

// moment is when a hook's program runs.
type moment uint8

const (
	atEntry  moment = iota // of the function
	atReturn               // of the function, whatever it was called with
	atResult               // of the function, with parameters and result
	around                 // both entry and return of the function
)

// hook is one kernel function that fim attaches to. To watch a further
// operation, write its body in src and add its rows here.
type hook struct {
	function string
	when     moment
	// lsm says that the function runs a security hook that an LSM program can
	// take part in: security_<x> is lsm/<x>.
	lsm bool
	// first and second are the names of the parameters that the body reads, as
	// the kernel's BTF has them. Without them, the parameters are fixed.
	first, second string
	// needed are the operations that do not work without it; helps are those
	// that lack a part (the view path, a road to the change).
	needed, helps []event.Op
	// twin says that the row is for a second kind of program beside a probe,
	// which the kernel skips for other reasons than that: what must not be missed.
	twin bool
	// unless names a hook in whose place this one stands.
	unless string
	// counts is the row of counters that the body counts in.
	counts trampolinesHook
}

var (
	opModify = []event.Op{event.OpModify, event.OpClose}
	opClose  = []event.Op{event.OpClose}
	opRename = []event.Op{event.OpRename}
	opRemove = []event.Op{event.OpUnlink, event.OpRmdir}
	opMkdir  = []event.Op{event.OpMkdir}
	opLink   = []event.Op{event.OpLink, event.OpCreate}
	opSym    = []event.Op{event.OpSymlink}
	opMknod  = []event.Op{event.OpMknod, event.OpCreate}
	opAttrib = []event.Op{event.OpAttrib}
	opChange = append(slices.Clone(opModify), event.OpAttrib)
)

// syscallPrefix is how the kernel's functions of system calls begin.
var syscallPrefix = map[string]string{"amd64": "__x64_sys_", "arm64": "__arm64_sys_"}[runtime.GOARCH]

// everything marks hooks without which the automaton itself is wrong.
var everything = event.Ops()

// hooks is the attach table. The order matters: what keeps the automaton true
// comes before what asks it.
var hooks = []hook{
	{function: "d_move", needed: everything, counts: trampolinesHookHOOK_RENAME},
	{function: "d_move", when: atReturn, needed: everything, counts: trampolinesHookHOOK_RENAME},
	{function: "d_exchange", needed: everything, counts: trampolinesHookHOOK_RENAME},
	{function: "d_exchange", when: atReturn, needed: everything, counts: trampolinesHookHOOK_RENAME},
	{function: "d_move", when: around, twin: true, helps: everything, counts: trampolinesHookHOOK_RENAME},
	{function: "d_exchange", when: around, twin: true, helps: everything, counts: trampolinesHookHOOK_RENAME},
	{function: "security_file_open", when: atResult, lsm: true, first: "file", needed: everything, counts: trampolinesHookHOOK_OPEN},

	{function: "path_mount", when: atReturn, needed: everything, counts: trampolinesHookHOOK_MOUNT},
	{function: "path_umount", when: atReturn, helps: everything, counts: trampolinesHookHOOK_MOUNT},
	{function: "finish_automount", when: atReturn, helps: everything, counts: trampolinesHookHOOK_MOUNT},
	{function: syscallPrefix + "move_mount", when: atReturn, helps: everything, counts: trampolinesHookHOOK_MOUNT},
	{function: "__ia32_sys_move_mount", when: atReturn, helps: everything, counts: trampolinesHookHOOK_MOUNT},
	{function: "attach_recursive_mnt", first: "dest_mp", helps: everything, counts: trampolinesHookHOOK_MOUNT},
	{function: "make_visible", helps: everything, counts: trampolinesHookHOOK_MOUNT},
	{function: "mnt_set_mountpoint", helps: everything, counts: trampolinesHookHOOK_MOUNT},
	{function: syscallPrefix + "pivot_root", when: atReturn, helps: everything, counts: trampolinesHookHOOK_MOUNT},

	{function: "security_path_unlink", lsm: true, helps: opRemove, counts: trampolinesHookHOOK_STASH},
	{function: "security_path_rmdir", lsm: true, helps: opRemove, counts: trampolinesHookHOOK_STASH},
	{function: "d_delete", needed: opRemove, counts: trampolinesHookHOOK_UNLINK},

	{function: "security_path_rename", lsm: true, helps: opRename, counts: trampolinesHookHOOK_STASH},

	{function: "security_path_mkdir", lsm: true, helps: opMkdir, counts: trampolinesHookHOOK_STASH},
	{function: "vfs_mkdir", when: atResult, first: "dentry", needed: opMkdir, counts: trampolinesHookHOOK_MKDIR},
	{function: "security_path_mknod", lsm: true, helps: opMknod, counts: trampolinesHookHOOK_STASH},
	{function: "vfs_mknod", when: atResult, first: "dentry", needed: opMknod, counts: trampolinesHookHOOK_MKNOD},
	{function: "vfs_create", when: atResult, first: "dentry", needed: opMknod, counts: trampolinesHookHOOK_MKNOD},
	{function: "security_path_link", lsm: true, helps: opLink, counts: trampolinesHookHOOK_STASH},
	{function: "vfs_link", when: atResult, first: "new_dentry", needed: opLink, counts: trampolinesHookHOOK_LINK},
	{function: "security_path_symlink", lsm: true, helps: opSym, counts: trampolinesHookHOOK_STASH},
	{function: "vfs_symlink", when: atResult, first: "dentry", second: "oldname", needed: opSym, counts: trampolinesHookHOOK_SYMLINK},

	{function: "file_update_time", needed: opModify, counts: trampolinesHookHOOK_MODIFY},
	{function: "file_modified", needed: opModify, counts: trampolinesHookHOOK_MODIFY},
	{function: "kiocb_modified", helps: opModify, counts: trampolinesHookHOOK_MODIFY},
	{function: "file_update_time_flags", helps: opModify, counts: trampolinesHookHOOK_MODIFY},
	{function: "notify_change", when: atResult, first: "dentry", second: "attr", needed: opChange, counts: trampolinesHookHOOK_MODIFY},
	{function: "__vfs_setxattr_noperm", when: atResult, first: "dentry", needed: opAttrib, counts: trampolinesHookHOOK_ATTRIB},
	{function: "vfs_removexattr", when: atResult, first: "dentry", needed: opAttrib, counts: trampolinesHookHOOK_ATTRIB},
	{function: "vfs_set_acl", when: atResult, first: "dentry", helps: opAttrib, counts: trampolinesHookHOOK_ATTRIB},
	{function: "vfs_remove_acl", when: atResult, first: "dentry", helps: opAttrib, counts: trampolinesHookHOOK_ATTRIB},
	{function: "vfs_fileattr_set", when: atResult, first: "dentry", helps: opAttrib, counts: trampolinesHookHOOK_ATTRIB},
	{function: "security_file_release", lsm: true, needed: opClose, counts: trampolinesHookHOOK_CLOSE},
	{function: "locks_remove_file", needed: opClose, unless: "security_file_release", counts: trampolinesHookHOOK_CLOSE},
}

// permission is attached only where a filesystem needs it, because it makes
// every read dearer.
var permission = hook{function: "security_file_permission", lsm: true, helps: opModify, counts: trampolinesHookHOOK_MODIFY}

// tellsOfWrites are the filesystems that call the file_modified family for
// every change. btrfs does not; of others it is not known.
var tellsOfWrites = []string{"ext2", "ext3", "ext4", "xfs", "tmpfs", "vfat"}

// rowsFor is the attach table with what the filesystems need that hold
// something watched.
func rowsFor(o Options) []hook {
	silent := func(m Mount) bool {
		return o.Set.Reaches([]byte(m.Point)) && !slices.Contains(tellsOfWrites, m.FSType)
	}
	if slices.ContainsFunc(o.Mounts, silent) {
		return append(slices.Clone(hooks), permission)
	}
	return hooks
}
