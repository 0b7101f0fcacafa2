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
	// lsm is the security hook that the function runs and an LSM program can take
	// part in: bpf_lsm_<lsm> in the kernel's BTF, with at least so many parameters.
	lsm       string
	lsmParams int
	// params are the names of the parameters that the body reads, as the kernel's
	// BTF has them. Without them, the parameters are fixed.
	params []string
	// before says that the entry is looked at too, for what was before.
	before bool
	// needed are the operations that do not work without it; helps are those
	// that lack a part (the view path, a road to the change).
	needed, helps []event.Op
	// only says where the row is for; nil is everywhere.
	only func(t traits, failed bool) bool
	// ending says that the row's function ends what a stash began, and would do no
	// more but tell of refusals.
	ending bool
	// probe says that only a probe can read the parameters.
	probe bool
	// twin says that the row is for a second kind of program beside a probe,
	// which the kernel skips for other reasons than that: what must not be missed.
	twin bool
	// waits says of which filesystems, by their names, one must hold what may be watched
	// before the row's programs are attached. Nil: they are from the start.
	waits func(fstype string) bool
	// layers says that one below an overlay counts too.
	layers bool
	// unless names a hook in whose place this one stands: another, or the row above
	// of the same function.
	unless string
	// counts is the row of counters that the body counts in.
	counts trampolinesHook
}

// Where a row is for: failed says whether refused attempts are asked for.
func refusals(_ traits, failed bool) bool { return failed }

// endings are the returns of functions whose success is told by another hook:
// they tell of refusals, and of success where that hook may be skipped.
func endings(t traits, failed bool) bool { return failed || t.preemptible }

// missesEnding says whether p is an ending that this kernel lacks, or shows only in
// part.
func (p *planned) missesEnding(parted map[string]bool) bool {
	return p.ending && (p.Why != "" || parted[p.function])
}

// probed is where hooks that are no security hooks are probes.
func probed(t traits, _ bool) bool { return t.choose(&hook{}, false) == kprobeFlavour }

// security is a security hook that has the name of its function.
func security(name string) hook { return hook{function: "security_" + name, lsm: name} }

// stashing is a security hook that keeps the mount.
func stashing(name string, helps []event.Op) hook {
	h := security(name)
	h.helps, h.counts = helps, trampolinesHookHOOK_STASH
	return h
}

var (
	opModify = []event.Op{event.OpModify, event.OpClose}
	opClose  = []event.Op{event.OpClose}
	opTrunc  = []event.Op{event.OpTruncate}
	opRename = []event.Op{event.OpRename}
	opRemove = []event.Op{event.OpUnlink, event.OpRmdir}
	opMkdir  = []event.Op{event.OpMkdir}
	opLink   = []event.Op{event.OpLink, event.OpCreate}
	opSym    = []event.Op{event.OpSymlink}
	opMknod  = []event.Op{event.OpMknod, event.OpCreate}
	opSet    = []event.Op{event.OpChmod, event.OpChown, event.OpUtimes, event.OpTruncate}
	opXattr  = []event.Op{event.OpSetxattr, event.OpSetacl}
	opUnset  = []event.Op{event.OpRemovexattr, event.OpSetacl}
	opACL    = []event.Op{event.OpSetacl}
	opChattr = []event.Op{event.OpChattr}
	opExec   = []event.Op{event.OpExec}
	opMmap   = []event.Op{event.OpMmap}
	opUmount = []event.Op{event.OpUmount}
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
	{function: "d_move", when: around, twin: true, only: probed, helps: everything, counts: trampolinesHookHOOK_RENAME},
	{function: "d_exchange", when: around, twin: true, only: probed, helps: everything, counts: trampolinesHookHOOK_RENAME},
	{function: "security_file_open", when: atResult, lsm: "file_open", params: []string{"file"}, needed: everything, counts: trampolinesHookHOOK_OPEN},
	{function: "may_open", when: atResult, params: []string{"path", "acc_mode", "flag"}, only: refusals, helps: everything, counts: trampolinesHookHOOK_OPEN},

	{function: "path_mount", when: atReturn, needed: everything, counts: trampolinesHookHOOK_MOUNT},
	{function: "path_umount", helps: opUmount, counts: trampolinesHookHOOK_MOUNT},
	{function: "security_move_mount", lsm: "move_mount", helps: opUmount, counts: trampolinesHookHOOK_MOUNT},
	{function: "path_umount", when: atReturn, helps: everything, counts: trampolinesHookHOOK_MOUNT},
	{function: "finish_automount", when: atReturn, helps: everything, counts: trampolinesHookHOOK_MOUNT},
	{function: syscallPrefix + "move_mount", when: atReturn, helps: everything, counts: trampolinesHookHOOK_MOUNT},
	{function: "__ia32_sys_move_mount", when: atReturn, helps: everything, counts: trampolinesHookHOOK_MOUNT},
	{function: syscallPrefix + "pivot_root", when: atReturn, helps: everything, counts: trampolinesHookHOOK_MOUNT},
	{function: "attach_recursive_mnt", params: []string{"dest_mp"}, helps: everything, counts: trampolinesHookHOOK_MOUNT},
	{function: "make_visible", helps: everything, counts: trampolinesHookHOOK_MOUNT},
	{function: "mnt_set_mountpoint", helps: everything, counts: trampolinesHookHOOK_MOUNT},

	{function: "generic_shutdown_super", helps: everything, counts: trampolinesHookHOOK_MOUNT},

	stashing("path_unlink", opRemove),
	stashing("path_rmdir", opRemove),
	{function: "d_delete", needed: opRemove, counts: trampolinesHookHOOK_UNLINK},
	{function: "vfs_unlink", when: atResult, params: []string{"dentry"}, only: endings, ending: true, helps: opRemove, counts: trampolinesHookHOOK_UNLINK},
	{function: "vfs_rmdir", when: atResult, params: []string{"dentry"}, only: endings, ending: true, helps: opRemove, counts: trampolinesHookHOOK_UNLINK},

	{function: "security_path_rename", lsm: "path_rename", lsmParams: 5, helps: opRename, counts: trampolinesHookHOOK_STASH},
	{function: "vfs_rename", when: atResult, params: []string{"rd"}, only: endings, ending: true, helps: opRename, counts: trampolinesHookHOOK_RENAME},

	stashing("path_mkdir", opMkdir),
	{function: "vfs_mkdir", when: atResult, params: []string{"dentry"}, needed: opMkdir, counts: trampolinesHookHOOK_MKDIR},
	// Run for whatever is made anywhere, sockets too.
	{function: "d_instantiate", waits: hasSubvolumes, helps: opMkdir, counts: trampolinesHookHOOK_MKDIR},
	{function: "d_instantiate_new", waits: hasSubvolumes, helps: opMkdir, counts: trampolinesHookHOOK_MKDIR},
	stashing("path_mknod", opMknod),
	{function: "vfs_mknod", when: atResult, params: []string{"dentry"}, needed: opMknod, counts: trampolinesHookHOOK_MKNOD},
	{function: "vfs_create", when: atResult, params: []string{"dentry"}, needed: opMknod, counts: trampolinesHookHOOK_MKNOD},
	stashing("path_link", opLink),
	{function: "vfs_link", when: atResult, params: []string{"new_dentry", "old_dentry"}, needed: opLink, counts: trampolinesHookHOOK_LINK},
	stashing("path_symlink", opSym),
	{function: "vfs_symlink", when: atResult, params: []string{"dentry", "oldname"}, needed: opSym, counts: trampolinesHookHOOK_SYMLINK},

	{function: "file_update_time", needed: opModify, counts: trampolinesHookHOOK_MODIFY},
	{function: "file_modified", needed: opModify, counts: trampolinesHookHOOK_MODIFY},
	{function: "kiocb_modified", helps: opModify, counts: trampolinesHookHOOK_MODIFY},
	{function: "file_update_time_flags", helps: opModify, counts: trampolinesHookHOOK_MODIFY},
	{function: "vfs_fallocate", when: atResult, params: []string{"file"}, before: true, helps: opModify, counts: trampolinesHookHOOK_MODIFY},
	{function: "security_file_release", lsm: "file_release", needed: opClose, counts: trampolinesHookHOOK_CLOSE},
	{function: "locks_remove_file", needed: opClose, unless: "security_file_release", counts: trampolinesHookHOOK_CLOSE},
	{function: "vm_mmap_pgoff", when: atResult, params: []string{"file", "prot", "flag"}, needed: opMmap, counts: trampolinesHookHOOK_MMAP},

	stashing("path_chmod", []event.Op{event.OpChmod}),
	stashing("path_chown", []event.Op{event.OpChown}),
	stashing("path_truncate", opTrunc),
	{function: "vfs_utimes", helps: []event.Op{event.OpUtimes}, counts: trampolinesHookHOOK_STASH},
	{function: "notify_change", when: atResult, params: []string{"dentry", "attr"}, before: true, needed: opSet, helps: opClose, counts: trampolinesHookHOOK_ATTRIB},
	{function: "vfs_removexattr", when: atResult, params: []string{"dentry", "name"}, before: true, needed: opUnset, counts: trampolinesHookHOOK_ATTRIB},
	{function: "vfs_set_acl", when: atResult, params: []string{"dentry", "acl_name", "kacl"}, before: true, helps: opACL, counts: trampolinesHookHOOK_ATTRIB},
	{function: "vfs_remove_acl", when: atResult, params: []string{"dentry", "acl_name"}, before: true, helps: opACL, counts: trampolinesHookHOOK_ATTRIB},
	// Before there was vfs_set_acl an ACL came as the value, which is what only a
	// probe can read. Since then nobody looks at it.
	{function: "__vfs_setxattr_noperm", when: atResult, params: []string{"dentry", "name", "value", "size", "flags"}, probe: true, unless: "vfs_set_acl", before: true, needed: opXattr, counts: trampolinesHookHOOK_ATTRIB},
	{function: "__vfs_setxattr_noperm", when: atResult, params: []string{"dentry", "name", "name", "size", "flags"}, unless: "__vfs_setxattr_noperm", before: true, needed: opXattr, counts: trampolinesHookHOOK_ATTRIB},
	{function: "vfs_setxattr", when: atResult, params: []string{"dentry", "name", "value", "size", "flags"}, probe: true, unless: "vfs_set_acl", only: refusals, helps: opXattr, counts: trampolinesHookHOOK_ATTRIB},
	{function: "vfs_setxattr", when: atResult, params: []string{"dentry", "name", "name", "size", "flags"}, unless: "vfs_setxattr", only: refusals, helps: opXattr, counts: trampolinesHookHOOK_ATTRIB},
	{function: "vfs_fileattr_set", when: atResult, params: []string{"dentry", "fa"}, before: true, helps: opChattr, counts: trampolinesHookHOOK_ATTRIB},

	// Makes every read dearer.
	{function: "security_file_permission", lsm: "file_permission", waits: silent, layers: true, helps: opModify, counts: trampolinesHookHOOK_MODIFY},

	{function: "security_bprm_check", lsm: "bprm_check_security", needed: opExec, counts: trampolinesHookHOOK_EXEC},
	{function: "security_bprm_committed_creds", lsm: "bprm_committed_creds", needed: opExec, counts: trampolinesHookHOOK_EXEC},
}

// tellsOfWrites are the filesystems that call the file_modified family for
// every change. btrfs does not; of others it is not known. Overlayfs has the one that
// its upper layer is on call it.
var tellsOfWrites = []string{"ext2", "ext3", "ext4", "overlay", "xfs", "tmpfs", "vfat"}

// noUpper are filesystems that are no upper layer: those that the kernel generates, that
// are read only, and overlayfs itself.
var noUpper = []string{
	"autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs",
	"erofs", "fusectl", "hugetlbfs", "iso9660", "mqueue", "nsfs", "overlay", "proc", "pstore", "ramfs", "rootfs",
	"rpc_pipefs", "securityfs", "selinuxfs", "squashfs", "sysfs", "tracefs",
}

// silent is a filesystem that does not tell of writes.
func silent(fstype string) bool { return !slices.Contains(tellsOfWrites, fstype) }

// hasSubvolumes is a filesystem that makes directories by other roads than mkdir(2).
func hasSubvolumes(fstype string) bool { return fstype == "btrfs" }

// uses says whether a filesystem that h waits for may hold something watched, or be below
// an overlay that does. With containers each overlay may, and they come and go.
func (h *hook) uses(o *Options, mounts []Mount) bool {
	overlays := o.Containers
	for _, m := range mounts {
		if !o.Set.Reaches([]byte(m.Point)) {
			continue
		}
		if h.waits(m.FSType) {
			return true
		}
		overlays = overlays || m.FSType == "overlay"
	}
	return overlays && h.layers && slices.ContainsFunc(mounts, func(m Mount) bool {
		return h.waits(m.FSType) && !slices.Contains(noUpper, m.FSType)
	})
}
