// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What mkdir, mknod, link and symlink share: a name was made; and attrib: what a
// name stands for was changed.

#ifndef FIM_MAKE_H
#define FIM_MAKE_H

#include "hook.h"

static __always_inline bool failed(u64 result, u32 pointer)
{
	return pointer ? result >= (u64)-4095 : (int)result != 0;
}

// made reports a new name if it may match. Some network filesystems leave the
// dentry negative: the event then has no identity.
static __always_inline void made(u32 hook, u32 op, struct dentry *dentry)
{
	struct counters *counted = counters(hook);
	u64 mnt;
	u32 state;

	if (!counted)
		return;
	state = judge_change(counted, dentry);
	if (!accepts(state))
		return;
	mnt = take_mount(dentry);
	if (own())
		count(counted->ignored);
	else
		emit(counted, op, state, (u64)dentry, mnt, fetch(dentry, d_inode));
}

// changed reports a change of what dentry names, by a road on which no mount
// is known.
static __always_inline void changed(u32 hook, u32 op, struct dentry *dentry)
{
	struct counters *counted = counters(hook);
	u32 state;

	if (!counted || unnamed(dentry))
		return;
	state = judge(counted, dentry);
	if (!accepts(state))
		return;
	if (own())
		count(counted->ignored);
	else
		emit(counted, op, state, (u64)dentry, 0, fetch(dentry, d_inode));
}

// committed counts the call and says whether it succeeded.
static __always_inline bool committed(u32 hook, u64 result, u32 pointer)
{
	struct counters *counted = counters(hook);

	if (!counted)
		return false;
	count(counted->seen);
	if (failed(result, pointer)) {
		count(counted->failed);
		return false;
	}
	return true;
}

#endif
