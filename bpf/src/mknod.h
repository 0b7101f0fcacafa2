// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// mknod: a new fifo, socket or device; of a regular file it is a create.
//
//   mknodat(2), bind(2) of a unix socket, overlayfs -> vfs_mknod
//   mknodat(2) of a regular file, nfsd -> vfs_create (open(2) does not come here)

#include "make.h"

static __always_inline void on_mknod(u64 first, u64 second, u64 result, u32 pointer)
{
	struct dentry *dentry = (void *)first;
	struct inode *inode;
	u32 op = OP_MKNOD;

	if (!committed(HOOK_MKNOD, result, pointer))
		return;
	inode = fetch(dentry, d_inode);
	if (inode && (fetch(inode, i_mode) & S_IFMT) == S_IFREG)
		op = OP_CREATE;
	made(HOOK_MKNOD, op, dentry);
}

SECURITY_HOOK(path_mknod, on_path(dir, dentry), const struct path *dir, struct dentry *dentry)
RESULT_HOOK(vfs_mknod, on_mknod)
RESULT_HOOK(vfs_create, on_mknod)
