// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Phase one of a change: security_path_* alone are told the mount, so they keep
// it per thread until the change is committed. The commit is the authority; it
// computes the state itself and works without a stash (nfsd, ksmbd, overlayfs
// have none: then the view path is absent).

#ifndef FIM_STASH_H
#define FIM_STASH_H

#include "emit.h"

static __always_inline void keep_mount(struct counters *counted, struct vfsmount *mnt, struct dentry *parent,
				       struct dentry *dentry)
{
	struct stash stash = {(u64)dentry, (u64)parent, (u64)mnt};
	u32 tid = bpf_get_current_pid_tgid();

	if (bpf_map_update_elem(&stashes, &tid, &stash, BPF_ANY))
		count(counted->lost_map);
	else
		count(counted->emitted);
}

// on_path is the first phase of every change but rename: dir is where dentry
// will be made or removed.
static __always_inline void on_path(const struct path *dir, struct dentry *dentry)
{
	struct counters *counted = counters(HOOK_STASH);
	struct vfsmount *mnt = fetch(dir, mnt);
	struct dentry *parent = fetch(dir, dentry);

	if (!counted)
		return;
	count(counted->seen);
	if (state_of(counted, parent) != DEAD)
		keep_mount(counted, mnt, parent, dentry);
}

// take_mount is the mount that phase one kept for this dentry, or 0.
static __always_inline u64 take_mount(struct dentry *dentry)
{
	u32 tid = bpf_get_current_pid_tgid();
	struct stash *stash = bpf_map_lookup_elem(&stashes, &tid);
	u64 mnt;

	if (!stash || stash->dentry != (u64)dentry || stash->parent != (u64)fetch(dentry, d_parent))
		return 0;
	mnt = stash->mnt;
	bpf_map_delete_elem(&stashes, &tid);
	return mnt;
}

// dir_state is the state of the directory of dentry.
static __always_inline u32 dir_state(struct counters *counted, struct dentry *dentry)
{
	return state_of(counted, fetch(dentry, d_parent));
}

// judge_change is judge for what has a name.
static __always_inline u32 judge_change(struct counters *counted, struct dentry *dentry)
{
	return name_state(dir_state(counted, dentry), dentry);
}

#endif
