// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// mkdir: a new directory.
//
//   mkdirat(2), io_uring, nfsd -> vfs_mkdir
//
// Since 6.15 vfs_mkdir returns the dentry, which may be another one than the
// argument, whose reference it may have dropped: then the result counts.

#include "make.h"

static __always_inline void on_mkdir(u64 first, u64 second, u64 result, u32 pointer)
{
	if (!committed(HOOK_MKDIR, result, pointer))
		return;
	if (!pointer)
		made(HOOK_MKDIR, OP_MKDIR, (void *)first);
	else if (result)
		made(HOOK_MKDIR, OP_MKDIR, (void *)result);
}

SECURITY_HOOK(path_mkdir, on_path(dir, dentry), const struct path *dir, struct dentry *dentry)
RESULT_HOOK(vfs_mkdir, on_mkdir)
