// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// unlink and rmdir: a name is gone.
//
//   unlinkat(2), nfsd, overlayfs -> vfs_unlink | vfs_rmdir -> (the filesystem
//   did it) -> d_delete;  btrfs: SNAP_DESTROY ioctl -> d_delete
//
// d_delete is called when the filesystem has succeeded and before the dentry
// loses its inode, so at its entry both the outcome and the identity are known;
// at the exit of vfs_unlink the dentry is negative already. A file that NFS
// keeps under a ".nfs" name is renamed instead, and reported so.
//
// The return of vfs_unlink and vfs_rmdir is watched where refused attempts are
// asked for, and where the kernel may skip the program on d_delete.

#include "make.h"

static __always_inline u32 removal_of(u16 mode)
{
	return (mode & S_IFMT) == S_IFDIR ? OP_RMDIR : OP_UNLINK;
}

static __always_inline void on_delete(struct dentry *dentry)
{
	struct counters *counted = counters(HOOK_UNLINK);
	struct inode *inode = fetch(dentry, d_inode);
	struct deed deed = {.dentry = dentry, .inode = inode};
	u64 key = (u64)inode;
	u32 state;

	if (!counted || !inode)
		return;
	count(counted->seen);
	deed.op = removal_of(fetch(inode, i_mode));
	state = dir_state(counted, dentry);
	if (deed.op == OP_RMDIR && (state != DEAD || adds())) // else it has no tag that holds
		bpf_map_delete_elem(&tags, &key); // its address will be reused
	if (was_alias(inode))
		deed.state = ALIAS;
	deed.tree = is_subvolume(inode);
	if (concerns(counted, &deed, state))
		emit(counted, &deed);
	bereaved(inode);
}

// emit_unseen tells of a removal whose d_delete passed unseen, by what phase one
// kept of the file.
static __always_inline void emit_unseen(struct counters *counted, struct dentry *dentry, struct stash *stash)
{
	struct deed deed = {.op = stash->op, .dentry = dentry, .mnt = stash->mnt};
	struct scratch *s;
	u32 slot;

	deed.state = name_state(dir_state(counted, dentry), dentry);
	if (!accepts(deed.state) || untold(&deed))
		return;
	s = draft(counted, &slot, &deed);
	if (!s)
		return;
	s->record.ino = stash->ino;
	s->record.now.mode = stash->mode;
	write_paths(slot, s, &deed);
	send(counted, slot, s);
}

static __always_inline void on_removed(struct call *call)
{
	struct counters *counted = counters(HOOK_UNLINK);
	struct dentry *dentry = (void *)call->arg[0];
	struct inode *inode = fetch(dentry, d_inode);
	struct deed deed = {.dentry = dentry, .inode = inode};
	struct stash stash = {};

	if (!counted)
		return;
	if (!error_of(call)) {
		take(dentry, &stash);
		if (stash.dentry)
			emit_unseen(counted, dentry, &stash);
		return;
	}
	deed.error = ended(counted, call);
	if (!inode)
		return;
	deed.op = removal_of(fetch(inode, i_mode));
	if (is_alias(inode))
		deed.state = ALIAS;
	if (concerns(counted, &deed, dir_state(counted, dentry)))
		emit(counted, &deed);
}

SECURITY_HOOK(path_unlink, on_path_removal(dir, dentry, OP_UNLINK), const struct path *dir, struct dentry *dentry)
SECURITY_HOOK(path_rmdir, on_path_removal(dir, dentry, OP_RMDIR), const struct path *dir, struct dentry *dentry)
ENTRY_HOOK(d_delete, on_delete(dentry), struct dentry *dentry)
OPERATION_HOOK(vfs_unlink, 1, on_removed)
OPERATION_HOOK(vfs_rmdir, 1, on_removed)
