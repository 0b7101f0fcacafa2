// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// link: another name of a file; of an O_TMPFILE, which had none, it is a create.
//
//   linkat(2), io_uring, nfsd -> vfs_link(old_dentry, …, new_dentry)
//
// Either name may be the one that is watched.

#include "make.h"

static __always_inline void emit_link(struct counters *counted, struct deed *deed, struct dentry *old)
{
	struct scratch *s;
	u32 slot;

	s = draft(counted, &slot, deed);
	if (!s)
		return;
	write_path(slot, s, deed->dentry, deed->mnt, &s->record.path);
	if (!unnamed(old))
		write_path(slot, s, old, deed->mnt, &s->record.old);
	write_places(slot, s, deed);
	send(counted, slot, s);
}

// linked is the state of the file that gets another name. Both phases ask, so that the
// second ends what the first kept.
static __always_inline u32 linked(struct counters *counted, struct dentry *old)
{
	return unnamed(old) ? DEAD : of_file(judge(counted, old), fetch(old, d_inode));
}

static __always_inline void on_link(struct call *call)
{
	struct dentry *new = (void *)call->arg[0], *old = (void *)call->arg[1];
	struct counters *counted = counters(HOOK_LINK);
	struct inode *inode = fetch(old, d_inode);
	struct deed deed = {.op = OP_LINK, .dentry = new, .inode = inode};
	u32 from, dir;

	if (!counted || !inode)
		return;
	deed.error = ended(counted, call);
	from = linked(counted, old);
	dir = dir_state(counted, new);
	if (from == DEAD && dir == DEAD) {
		moot(new);
		return;
	}
	deed.mnt = take_mount(new);
	deed.state = name_state(dir, new);
	if (from == ALIAS && !accepts(deed.state))
		deed.state = ALIAS;
	if (deed.error == NOT_TOLD || (!accepts(from) && !accepts(deed.state)))
		return;
	if (from == UNKNOWN)
		deed.state = UNKNOWN;
	if (unnamed(old) && fetch(inode, i_nlink) == 1)
		deed.op = OP_CREATE;
	if (untold(&deed))
		count(counted->ignored);
	else
		emit_link(counted, &deed, old);
}

// on_path_link keeps the mount if either name may be watched.
static __always_inline void on_path_link(struct dentry *old, const struct path *dir, struct dentry *new)
{
	struct counters *counted = counters(HOOK_STASH);
	struct dentry *parent = fetch(dir, dentry);
	struct vfsmount *mnt = fetch(dir, mnt);
	struct stash stash = {.op = OP_LINK};

	if (!counted)
		return;
	count(counted->seen);
	if (state_of(counted, parent) == DEAD && linked(counted, old) == DEAD)
		return;
	stash.dentry = (u64)new;
	stash.parent = (u64)parent;
	stash.mnt = (u64)mnt;
	keep(counted, &stash);
}

SECURITY_HOOK(path_link, on_path_link(old_dentry, new_dir, new_dentry), struct dentry *old_dentry,
	      const struct path *new_dir, struct dentry *new_dentry)
OPERATION_HOOK(vfs_link, 2, on_link)
