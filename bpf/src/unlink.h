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

#include "hook.h"

static __always_inline void on_delete(struct dentry *dentry)
{
	struct counters *counted = counters(HOOK_UNLINK);
	struct inode *inode = fetch(dentry, d_inode);
	u64 mnt, key = (u64)inode;
	u32 state, op = OP_UNLINK;

	if (!counted || !inode)
		return;
	count(counted->seen);
	state = judge_change(counted, dentry);
	if ((fetch(inode, i_mode) & S_IFMT) == S_IFDIR) {
		op = OP_RMDIR;
		if (state != DEAD || control.binds) // else it has no tag that holds
			bpf_map_delete_elem(&tags, &key); // its address will be reused
	}
	if (!accepts(state))
		return;
	mnt = take_mount(dentry);
	if (own())
		count(counted->ignored);
	else
		emit(counted, op, state, (u64)dentry, mnt, inode);
}

SECURITY_HOOK(path_unlink, on_path(dir, dentry), const struct path *dir, struct dentry *dentry)
SECURITY_HOOK(path_rmdir, on_path(dir, dentry), const struct path *dir, struct dentry *dentry)
ENTRY_HOOK(d_delete, on_delete(dentry), struct dentry *dentry)
