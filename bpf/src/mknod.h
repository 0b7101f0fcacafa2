// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// mknod: a new fifo, socket or device; of a regular file it is a create.
//
//   mknodat(2), bind(2) of a unix socket, overlayfs -> vfs_mknod
//   mknodat(2) of a regular file, nfsd -> vfs_create (open(2) does not come here)

#include "make.h"

static __always_inline void on_mknod(struct call *call)
{
	struct dentry *dentry = (void *)call->arg[0];
	struct inode *inode = fetch(dentry, d_inode);
	u32 op = OP_MKNOD;

	if (inode && (fetch(inode, i_mode) & S_IFMT) == S_IFREG)
		op = OP_CREATE;
	made(HOOK_MKNOD, op, dentry, call);
}

static __always_inline void on_create(struct call *call)
{
	made(HOOK_MKNOD, OP_CREATE, (void *)call->arg[0], call);
}

// opening says whether the thread is in open(2), which asks security_path_mknod too
// and creates by another road. do_mknodat and unix_bind have walked their path by then
// (fs/namei.c: set_nameidata, restore_nameidata).
static __always_inline bool opening(void)
{
	if (HAS_TASK_BTF)
		return bpf_get_current_task_btf()->nameidata;
	return BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), nameidata);
}

static __always_inline void on_path_mknod(const struct path *dir, struct dentry *dentry)
{
	if (!opening())
		on_path(dir, dentry, OP_MKNOD);
}

SECURITY_HOOK(path_mknod, on_path_mknod(dir, dentry), const struct path *dir, struct dentry *dentry)
OPERATION_HOOK(vfs_mknod, 1, on_mknod)
OPERATION_HOOK(vfs_create, 1, on_create)
