// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// How an operation ends: what mkdir, mknod, link and symlink share, and what
// all have that may be refused.

#ifndef FIM_MAKE_H
#define FIM_MAKE_H

#include "hook.h"

#define NOT_TOLD (-1)

// The number of the root directory of each subvolume of btrfs, and of nothing else in
// it (include/uapi/linux/btrfs_tree.h).
#define BTRFS_FIRST_FREE_OBJECTID 256

// is_subvolume says whether inode is such a directory.
static __always_inline bool is_subvolume(struct inode *inode)
{
	struct super_block *sb;

	if (fetch(inode, i_ino) != BTRFS_FIRST_FREE_OBJECTID)
		return false;
	sb = fetch(inode, i_sb);
	return fetch(sb, s_magic) == BTRFS_SUPER_MAGIC;
}

// ended counts the call and says how it ended: 0, the error number if that is to
// be told, or NOT_TOLD. Two errors are no refusal: the caller breaks a delegation
// (fs/locks.c) or looks up a stale handle again, and repeats the call.
static __always_inline int ended(struct counters *counted, struct call *call)
{
	int error = error_of(call);

	count(counted->seen);
	if (!error)
		return 0;
	count(counted->failed);
	if (!report_failed || error == EAGAIN || error == ESTALE)
		return NOT_TOLD;
	return error;
}

// concerns fills the state and the mount of a deed in a directory of that state, the
// deed's being ALIAS if the file may be watched by another name, and says whether it is
// to be told. It ends what phase one kept.
static __always_inline bool concerns(struct counters *counted, struct deed *deed, u32 state)
{
	if (state == DEAD && deed->state != ALIAS) {
		moot(deed->dentry);
		return false;
	}
	deed->mnt = take_mount(deed->dentry);
	state = name_state(state, deed->dentry);
	if (accepts(state) || deed->state != ALIAS)
		deed->state = state;
	if (deed->error == NOT_TOLD || !(accepts(deed->state) || (deed->tree && deed->state != DEAD)))
		return false;
	if (untold(deed)) {
		count(counted->ignored);
		return false;
	}
	return true;
}

// made reports a new name if it may match. Some network filesystems leave the
// dentry negative: the event then has no identity.
static __always_inline void made(u32 hook, u32 op, struct dentry *dentry, struct call *call)
{
	struct counters *counted = counters(hook);
	struct deed deed = {.op = op, .dentry = dentry};

	if (!counted)
		return;
	deed.error = ended(counted, call);
	if (!concerns(counted, &deed, dir_state(counted, dentry)))
		return;
	if (!deed.error)
		deed.inode = fetch(dentry, d_inode);
	emit(counted, &deed);
}

#endif
