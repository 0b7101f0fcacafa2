// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Paths: the names from a dentry to a root, written into scratch memory.

#ifndef FIM_TRAIL_H
#define FIM_TRAIL_H

#include "automaton.h"

#define PATH_TRIES 12

// append_name appends a name to the record's data and steps to its parent.
// A name that was being changed may lack its NUL: then the walk is repeated, as
// the sequence of renames tells.
static __always_inline void append_name(struct scratch *s, struct trail *t, struct link *l)
{
	u32 size = (l->length & (NAME_SPACE - 1)) + 1;

	if (t->used > DATA_SIZE - NAME_SPACE || t->used - t->start >= MAX_PATH || l->length >= NAME_SPACE ||
	    bpf_probe_read_kernel(&s->data[t->used & (DATA_SIZE - 1)], size, (void *)l->name)) {
		t->end = END_CUT;
		return;
	}
	t->used += size;
	t->count++;
	t->at = l->parent;
}

// step_names appends the current name, or ends the walk at the filesystem's
// root. On the way it notes where the actor's mount, or root directory, ends:
// leaf-side names count for the view path up to there.
static __always_inline void step_names(struct scratch *s, struct trail *t)
{
	struct dentry *d = (void *)t->at;
	struct link *l = &t->link;

	if (t->in_mount == ~0u && t->mnt) {
		if (t->at == t->root && t->mnt == t->root_mnt) {
			t->in_mount = t->count;
			t->flags |= FLAG_VIEW;
		} else if (t->at == t->place.root) {
			t->in_mount = t->count;
		}
	}
	look(d, l);
	if (following_trees() && !t->below && (t->count || s->record.op != OP_RENAME) && is_tree(l->inode)) {
		t->tree = number_of(l->inode);
		t->below = t->count + 1;
	}
	if (l->parent == t->at)
		t->end = (t->top ?: (u64)BPF_CORE_READ(d, d_sb, s_root)) == t->at ? END_ROOT : END_UNATTACHED;
	else
		append_name(s, t, l);
}

__noinline int write_some_names(u32 slot)
{
	struct scratch *s = scratch_at(slot);

	if (!s)
		return 0;
#pragma unroll
	for (int i = 0; i < STRIDE; i++) {
		step_names(s, &s->trail);
		if (s->trail.end)
			return 0;
	}
	return 1;
}

REPEAT(write_more_names, write_some_names, TURNS)
REPEAT(write_names, write_more_names, ROUNDS)

// enter_mount goes on in another mount, or begins in one.
static __always_inline void enter_mount(struct trail *t, u64 mnt)
{
	t->mnt = mnt;
	locate(mount_of((struct vfsmount *)mnt), &t->place);
}

// step_view appends one name of the actor's mountpoint, crossing mounts, until
// the actor's root directory. A chain that never meets it leaves the view path
// unknown (the kernel shows such paths as "(unreachable)").
static __always_inline void step_view(struct scratch *s, struct trail *t)
{
	u64 own;

	if (t->at == t->root && t->mnt == t->root_mnt) {
		t->flags |= FLAG_VIEW;
		t->end = END_ROOT;
		return;
	}
	if (t->at == t->place.root) {
		own = (u64)mount_of((struct vfsmount *)t->mnt);
		if (t->place.parent == own) {
			t->end = END_UNATTACHED;
			return;
		}
		t->at = t->place.point;
		enter_mount(t, t->place.parent + bpf_core_field_offset(struct mount, mnt));
		return;
	}
	look((struct dentry *)t->at, &t->link);
	append_name(s, t, &t->link);
}

__noinline int write_some_view(u32 slot)
{
	struct scratch *s = scratch_at(slot);

	if (!s)
		return 0;
#pragma unroll
	for (int i = 0; i < STRIDE; i++) {
		step_view(s, &s->trail);
		if (s->trail.end)
			return 0;
	}
	return 1;
}

REPEAT(write_more_view, write_some_view, TURNS)
REPEAT(write_view, write_more_view, ROUNDS)

static __always_inline void start_trail(struct trail *t)
{
	t->at = t->dentry;
	t->mnt = t->place.root = 0;
	if (t->root && t->via)
		enter_mount(t, t->via);
	t->used = t->start;
	t->count = 0;
	t->in_mount = ~0u;
	t->end = END_NONE;
	t->flags = 0;
	t->tree = t->below = 0;
}

// try_names makes one attempt to write the names and says whether they are of
// one moment.
__noinline int try_names(u32 slot)
{
	struct scratch *s = scratch_at(slot);
	u32 seq;

	if (!s)
		return 1;
	seq = settled_seq(1);
	start_trail(&s->trail);
	for (int i = 0; i < LAPS; i++)
		if (!write_names(slot))
			break;
	return !(seq & 1) && rename_seq() == seq;
}

// write_trail writes the names of trail.dentry into the record's data.
__noinline int write_trail(u32 slot)
{
	struct scratch *s = scratch_at(slot);
	int i;

	if (!s)
		return 0;
	for (i = 0; i < PATH_TRIES; i++)
		if (try_names(slot))
			break;
	if (i == PATH_TRIES)
		s->trail.flags |= FLAG_UNSTABLE;
	if (s->trail.end == END_UNATTACHED)
		s->trail.flags |= FLAG_UNATTACHED;
	else if (s->trail.end != END_ROOT)
		s->trail.flags |= FLAG_CUT;
	s->record.flags |= s->trail.flags;
	return 0;
}

// write_mountpoint writes the names from the actor's mount up to its root.
__noinline int write_mountpoint(u32 slot)
{
	struct scratch *s = scratch_at(slot);

	if (!s || s->trail.in_mount == ~0u || s->trail.flags & FLAG_VIEW)
		return 0;
	s->trail.at = s->trail.place.root;
	s->trail.count = 0;
	s->trail.end = END_NONE;
	for (int i = 0; i < LAPS; i++)
		if (!write_view(slot))
			break;
	s->record.flags |= s->trail.flags & FLAG_VIEW;
	s->record.view.bytes = s->trail.used - s->trail.start;
	s->record.view.count = s->trail.count;
	s->trail.start = s->trail.used;
	return 0;
}

#endif
