// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// symlink: a new symbolic link, with what it points to.
//
//   symlinkat(2), io_uring, nfsd -> vfs_symlink(…, dentry, oldname)

#include "make.h"

static __always_inline void on_symlink(struct call *call)
{
	struct counters *counted = counters(HOOK_SYMLINK);
	struct dentry *dentry = (void *)call->arg[0];
	struct deed deed = {.op = OP_SYMLINK, .dentry = dentry};
	struct scratch *s;
	u32 slot;

	if (!counted)
		return;
	deed.error = ended(counted, call);
	if (!concerns(counted, &deed, dir_state(counted, dentry)))
		return;
	if (!deed.error)
		deed.inode = fetch(dentry, d_inode);
	s = draft(counted, &slot, &deed);
	if (!s)
		return;
	write_paths(slot, s, &deed);
	write_text(s, call->arg[1]);
	send(counted, slot, s);
}

SECURITY_HOOK(path_symlink, on_path(dir, dentry, OP_SYMLINK), const struct path *dir, struct dentry *dentry)
OPERATION_HOOK(vfs_symlink, 2, on_symlink)
