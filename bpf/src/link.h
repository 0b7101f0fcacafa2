// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// link: another name of a file; of an O_TMPFILE, which had none, it is a create.
//
//   linkat(2), io_uring, nfsd -> vfs_link(old_dentry, …, new_dentry)

#include "make.h"

static __always_inline void on_link(u64 first, u64 second, u64 result, u32 pointer)
{
	struct dentry *new = (void *)first;
	struct inode *inode;

	if (!committed(HOOK_LINK, result, pointer))
		return;
	inode = fetch(new, d_inode);
	made(HOOK_LINK, inode && fetch(inode, i_nlink) == 1 ? OP_CREATE : OP_LINK, new);
}

SECURITY_HOOK(path_link, on_path(new_dir, new_dentry), struct dentry *old_dentry, const struct path *new_dir,
	      struct dentry *new_dentry)
RESULT_HOOK(vfs_link, on_link)
