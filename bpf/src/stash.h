// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Phase one of a change: security_path_* alone are told the mount, so they keep
// it per thread until the change is committed. The commit is the authority; it
// computes the state itself and works without a stash (nfsd, ksmbd, overlayfs
// have none: then the view path is absent).
//
// A stash that is still there when the thread begins something else, or ends,
// is of an operation whose end was not seen: it is counted, and told as lost, unless
// a security module has forbidden it, so that it never began.
// So each commit ends what was kept for it, also where it finds nothing watched.

#ifndef FIM_STASH_H
#define FIM_STASH_H

#include "emit.h"

// Whether the ends of all operations are watched, those of failed ones as well:
// then what is left behind was missed.
const volatile u32 resolves = 0;

// The threads that have kept something, each at its number modulo how many there is room
// for: two that share a place hide one of them.
#define KEEPERS 4096
u32 keepers[KEEPERS];

// outlives says whether a stash may rightly be left behind: changes of attributes may
// fail before they begin.
static __always_inline bool outlives(struct stash *stash)
{
	return stash->op >= OP_CHMOD || stash->op == OP_TRUNCATE;
}

// keeps says whether the thread has kept something, and its place is its own.
static __always_inline bool keeps(u32 tid)
{
	return latest(keepers[tid % KEEPERS]) == tid;
}

// drop ends what the thread kept.
static __always_inline void drop(u32 tid)
{
	latest(keepers[tid % KEEPERS]) = 0;
	bpf_map_delete_elem(&stashes, &tid);
}

// leave drops what the thread left behind.
static __always_inline void leave(struct counters *counted, u32 tid)
{
	struct stash *stash = bpf_map_lookup_elem(&stashes, &tid);

	if (!stash)
		return;
	if (stash->entered && !outlives(stash))
		count(counted->lost_outcome);
	drop(tid);
}

// enters notes that the thread is in the function that does what it has kept something for.
static __always_inline void enters(struct call *call)
{
	u32 tid = bpf_get_current_pid_tgid();
	struct stash *stash;

	if (!resolves || !keeps(tid))
		return;
	stash = bpf_map_lookup_elem(&stashes, &tid);
	if (stash)
		stash->entered = 1;
}

// returns_only is the return of such a function whose entry was not seen.
static __always_inline void returns_only(void)
{
	u32 tid = bpf_get_current_pid_tgid();
	struct counters *counted = counters(HOOK_STASH);

	if (!resolves || !counted || !keeps(tid))
		return;
	enters(NULL);
	leave(counted, tid);
}

static __always_inline void keep(struct counters *counted, struct stash *stash)
{
	u32 tid = bpf_get_current_pid_tgid();

	if (resolves)
		leave(counted, tid);
	if (bpf_map_update_elem(&stashes, &tid, stash, BPF_ANY))
		count(counted->lost_map);
	else
		count(counted->emitted);
	latest(keepers[tid % KEEPERS]) = tid;
}

// begins is the first phase of a change of dentry, which is, or will be, in
// directory parent; gone is the file that it takes away.
static __always_inline void begins(u32 op, struct vfsmount *mnt, struct dentry *parent, struct dentry *dentry,
				   struct inode *gone)
{
	struct counters *counted = counters(HOOK_STASH);
	struct stash stash;

	if (!counted)
		return;
	count(counted->seen);
	if (state_of(counted, parent) == DEAD && !is_alias(fetch(dentry, d_inode)))
		return;
	stash = (struct stash){.op = op};
	stash.dentry = (u64)dentry;
	stash.parent = (u64)parent;
	stash.mnt = (u64)mnt;
	if (gone) { // at the end the dentry does not have it
		stash.ino = fetch(gone, i_ino);
		stash.mode = fetch(gone, i_mode);
	}
	keep(counted, &stash);
}

// on_path: dir is where dentry will be made.
static __always_inline void on_path(const struct path *dir, struct dentry *dentry, u32 op)
{
	begins(op, fetch(dir, mnt), fetch(dir, dentry), dentry, NULL);
}

// on_path_removal: dentry will be removed from dir.
static __always_inline void on_path_removal(const struct path *dir, struct dentry *dentry, u32 op)
{
	begins(op, fetch(dir, mnt), fetch(dir, dentry), dentry, fetch(dentry, d_inode));
}

// on_path_itself: what path names will be changed.
static __always_inline void on_path_itself(const struct path *path, u32 op)
{
	struct dentry *dentry = fetch(path, dentry);

	begins(op, fetch(path, mnt), fetch(dentry, d_parent), dentry, NULL);
}

// stash_of is what phase one kept for this dentry.
static __always_inline struct stash *stash_of(struct dentry *dentry)
{
	u32 tid = bpf_get_current_pid_tgid();
	struct stash *stash = bpf_map_lookup_elem(&stashes, &tid);

	return stash && stash->dentry == (u64)dentry ? stash : NULL;
}

// borrows says whether the task acts with credentials that are not its own.
static __always_inline bool borrows(void)
{
	struct task_struct *task;

	if (HAS_TASK_BTF) {
		task = bpf_get_current_task_btf();
		return task->cred != task->real_cred;
	}
	task = (void *)bpf_get_current_task();
	return BPF_CORE_READ(task, cred) != BPF_CORE_READ(task, real_cred);
}

static __always_inline bool on_overlay(struct dentry *dentry)
{
	return BPF_CORE_READ(dentry, d_sb, s_magic) == OVERLAYFS_SUPER_MAGIC;
}

// makes says whether this operation makes or moves a name.
static __always_inline bool makes(u32 op)
{
	return op == OP_CREATE || (op >= OP_RENAME && op <= OP_SYMLINK) || op == OP_MKDIR || op == OP_MKNOD;
}

// folded says whether overlayfs does this in a layer, for what is told of the overlay.
// Others borrow credentials too (nfsd, io_uring): so they must be those of who mounted
// it, or the thread in the midst of making something in one.
static __noinline bool folded(u64 dentry, u32 op)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	u64 cred = (u64)BPF_CORE_READ(task, cred);
	u32 *seen = bpf_map_lookup_elem(&creators, &cred), tid = bpf_get_current_pid_tgid();
	struct nameidata *walked = BPF_CORE_READ(task, nameidata);
	struct stash *stash;

	if (on_overlay((void *)dentry))
		return false;
	if (seen && *seen >= latest(control.survey))
		return true;
	if (walked) // in open(2)
		return on_overlay(BPF_CORE_READ(walked, path.dentry));
	stash = makes(op) ? bpf_map_lookup_elem(&stashes, &tid) : NULL;
	return stash && on_overlay((void *)stash->dentry);
}

// untold says whether a deed is not to be told: it is this very process's, or folded.
static __always_inline bool untold(struct deed *deed)
{
	return own() || (borrows() && folded((u64)deed->dentry, deed->op));
}

// take copies it, and ends it.
static __always_inline void take(struct dentry *dentry, struct stash *copy)
{
	u32 tid = bpf_get_current_pid_tgid();
	struct stash *stash = stash_of(dentry);

	if (!stash || stash->parent != (u64)fetch(dentry, d_parent))
		return;
	*copy = *stash;
	drop(tid);
}

// take_mount is the mount that phase one kept for this dentry, or 0.
static __always_inline u64 take_mount(struct dentry *dentry)
{
	struct stash stash = {};

	take(dentry, &stash);
	return stash.mnt;
}

// moot ends what phase one kept for this dentry, where the commit finds nothing watched any
// more: meanwhile its directory was moved out, the file's other name was removed, or a survey
// has found what a new mount is.
static __always_inline void moot(struct dentry *dentry)
{
	u32 tid = bpf_get_current_pid_tgid();

	if (keeps(tid) && stash_of(dentry))
		drop(tid);
}

// dir_state is the state of the directory of dentry.
static __always_inline u32 dir_state(struct counters *counted, struct dentry *dentry)
{
	return state_of(counted, fetch(dentry, d_parent));
}

#endif
