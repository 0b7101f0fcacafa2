// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What the changes of attributes share: each has a before, and is of a file that
// keeps its name.

#ifndef FIM_ATTRIB_H
#define FIM_ATTRIB_H

#include "make.h"

static __always_inline struct subject subject_of(struct dentry *dentry)
{
	struct subject subject = {(u64)dentry, (u32)bpf_get_current_pid_tgid()};

	return subject;
}

// state_itself is judge for what phase one has seen.
static __always_inline u32 state_itself(struct counters *counted, struct dentry *dentry)
{
	u32 state = dir_state(counted, dentry);

	return fetch(dentry, d_parent) == dentry ? state : name_state(state, dentry);
}

// is_ours says whether what dentry names may match.
static __always_inline bool is_ours(struct counters *counted, struct dentry *dentry)
{
	struct inode *inode = fetch(dentry, d_inode);

	return inode && !unnamed(dentry) && accepts(of_file(state_itself(counted, dentry), inode));
}

// size_of is the size of what dentry names.
static __always_inline u64 size_of(struct dentry *dentry)
{
	struct inode *inode = fetch(dentry, d_inode);

	return inode ? fetch(inode, i_size) : 0;
}

// note_before keeps the attributes of what dentry names, if it may match.
static __always_inline bool note_before(struct counters *counted, struct dentry *dentry)
{
	struct subject subject = subject_of(dentry);
	struct before before = {};
	struct inode *inode;

	if (!is_ours(counted, dentry))
		return false;
	inode = fetch(dentry, d_inode);
	fill_attributes(&before.attributes, inode);
	before.flags = fetch(inode, i_flags);
	bpf_map_update_elem(&befores, &subject, &before, BPF_ANY);
	return true;
}

static __always_inline void fill_before(struct record *r, struct dentry *dentry)
{
	struct subject subject = subject_of(dentry);
	struct before *before = bpf_map_lookup_elem(&befores, &subject);

	if (!before)
		return;
	r->before = before->attributes;
	r->old_given = before->flags;
	r->flags |= FLAG_BEFORE;
	if (r->op == OP_TRUNCATE)
		r->flags |= FLAG_OLD_SIZE;
	bpf_map_delete_elem(&befores, &subject);
}

static __always_inline void forget_before(struct dentry *dentry)
{
	struct subject subject = subject_of(dentry);

	bpf_map_delete_elem(&befores, &subject);
	bpf_map_delete_elem(&old_acls, &subject);
}

// mount_of_deed is the mount that phase one kept for just this change. Another that was
// refused before it began may have left one of the same dentry, and some changes have no
// phase one.
static __always_inline u64 mount_of_deed(struct deed *deed)
{
	struct stash *stash = stash_of(deed->dentry);

	return stash && stash->op == deed->op ? take_mount(deed->dentry) : 0;
}

// begun drafts a deed on a file that keeps its name, if it is to be told. Its mount
// is that of phase one, if the caller does not know it.
static __always_inline struct scratch *begun(struct counters *counted, u32 *slot, struct deed *deed, struct call *call)
{
	struct scratch *s;
	u64 mnt;

	if (unnamed(deed->dentry))
		return NULL;
	deed->error = ended(counted, call);
	deed->inode = fetch(deed->dentry, d_inode);
	deed->state = of_file(state_itself(counted, deed->dentry), deed->inode);
	if (deed->state == DEAD)
		return NULL;
	mnt = mount_of_deed(deed);
	if (!deed->mnt)
		deed->mnt = mnt;
	s = NULL;
	if (untold(deed)) {
		count(counted->ignored);
	} else if (deed->error != NOT_TOLD && accepts(deed->state)) {
		s = draft(counted, slot, deed);
	}
	if (s)
		fill_before(&s->record, deed->dentry);
	else
		forget_before(deed->dentry);
	return s;
}

// changed tells of a change of attributes.
static __always_inline void changed(u32 hook, struct deed *deed, struct call *call)
{
	struct counters *counted = counters(hook);
	struct scratch *s;
	u32 slot;

	if (!counted)
		return;
	s = begun(counted, &slot, deed, call);
	if (!s)
		return;
	write_paths(slot, s, deed);
	send(counted, slot, s);
}

#endif
