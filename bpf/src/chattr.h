// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// chattr: the flags of an inode, immutable and append-only among them.
//
//   FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR (5.13+), file_setattr(2) -> vfs_fileattr_set

// The second argument, struct fileattr (struct file_kattr since 6.17), begins with
// the FS_*_FL flags; the kernel has completed them when the call returns.

#include "attrib.h"

static __always_inline void before_chattr(struct call *call)
{
	struct counters *counted = counters(HOOK_ATTRIB);

	if (counted)
		note_before(counted, (void *)call->arg[0]);
}

static __always_inline void on_chattr(struct call *call)
{
	struct deed deed = {.op = OP_CHATTR, .dentry = (void *)call->arg[0], .flags = FLAG_GIVEN | FLAG_OLD_GIVEN};

	bpf_probe_read_kernel(&deed.given, sizeof(deed.given), (void *)call->arg[1]);
	changed(HOOK_ATTRIB, &deed, call);
}

AROUND_HOOK(vfs_fileattr_set, 2, before_chattr, on_chattr)
