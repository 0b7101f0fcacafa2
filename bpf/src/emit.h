// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// A record: claimed, filled, sent once. Whatever keeps it from being sent is
// counted by reason.

#ifndef FIM_EMIT_H
#define FIM_EMIT_H

#include "automaton.h"

#define PATH_TRIES 12

// The operations that are asked for, bit by enum op; others are not sent.
const volatile u32 wanted = 0;

static __always_inline bool is_wanted(u32 op)
{
	return wanted >> op & 1;
}

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
		} else if (t->at == t->mnt_root) {
			t->in_mount = t->count;
		}
	}
	look(d, l);
	if (l->parent == t->at)
		t->end = BPF_CORE_READ(d, d_sb, s_root) == d ? END_ROOT : END_UNATTACHED;
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

__noinline int write_names(u32 slot)
{
	for (int i = 0; i < TURNS / STRIDE; i++)
		if (!write_some_names(slot))
			return 0;
	return 1;
}

// step_view appends one name of the actor's mountpoint, crossing mounts, until
// the actor's root directory. A chain that never meets it leaves the view path
// unknown (the kernel shows such paths as "(unreachable)").
static __always_inline void step_view(struct scratch *s, struct trail *t)
{
	struct dentry *d = (void *)t->at;
	struct mount *m = mount_of((struct vfsmount *)t->mnt);
	struct mount *parent;

	if (t->at == t->root && t->mnt == t->root_mnt) {
		t->flags |= FLAG_VIEW;
		t->end = END_ROOT;
		return;
	}
	if (t->at == (u64)BPF_CORE_READ(m, mnt.mnt_root)) {
		parent = BPF_CORE_READ(m, mnt_parent);
		t->at = (u64)BPF_CORE_READ(m, mnt_mountpoint);
		t->mnt = (u64)parent + bpf_core_field_offset(struct mount, mnt);
		if (parent == m)
			t->end = END_UNATTACHED;
		return;
	}
	look(d, &t->link);
	append_name(s, t, &t->link);
}

__noinline int write_view_name(u32 slot)
{
	struct scratch *s = scratch_at(slot);

	if (!s)
		return 0;
	step_view(s, &s->trail);
	return !s->trail.end;
}

__noinline int write_view(u32 slot)
{
	for (int i = 0; i < TURNS; i++)
		if (!write_view_name(slot))
			return 0;
	return 1;
}

static __always_inline void start_trail(struct trail *t)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct fs_struct *fs = BPF_CORE_READ(task, fs);
	struct vfsmount *mnt = (void *)t->via;

	t->at = t->dentry;
	t->mnt = fs ? t->via : 0;
	t->mnt_root = mnt ? (u64)BPF_CORE_READ(mnt, mnt_root) : 0;
	t->root = fs ? (u64)BPF_CORE_READ(fs, root.dentry) : 0;
	t->root_mnt = fs ? (u64)BPF_CORE_READ(fs, root.mnt) : 0;
	t->used = t->start;
	t->count = 0;
	t->in_mount = ~0u;
	t->end = END_NONE;
	t->flags = 0;
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
	for (int i = 0; i < ROUNDS; i++)
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
	s->trail.at = s->trail.mnt_root;
	s->trail.count = 0;
	s->trail.end = END_NONE;
	for (int i = 0; i < ROUNDS; i++)
		if (!write_view(slot))
			break;
	s->record.flags |= s->trail.flags & FLAG_VIEW;
	s->record.view.bytes = s->trail.used - s->trail.start;
	s->record.view.count = s->trail.count;
	s->trail.start = s->trail.used;
	return 0;
}

// write_path appends the path of dentry as one consistent look: renames that
// overtake it make it start over.
static __always_inline void write_path(u32 slot, struct scratch *s, struct dentry *dentry, u64 mnt,
				       struct names *names)
{
	struct trail *t = &s->trail;

	t->dentry = (u64)dentry;
	t->via = mnt;
	write_trail(slot);
	names->bytes = t->used - t->start;
	names->count = t->count;
	names->in_mount = t->in_mount == ~0u ? 0 : t->in_mount;
	t->start = t->used;
}

// FILL_ACTOR tells who acts; get is how members of the task are read.
#define FILL_ACTOR(a, task, get)                                                                   \
	({                                                                                         \
		(a)->start = get(task, group_leader, start_boottime);                              \
		(a)->ppid = get(task, group_leader, real_parent, tgid);                            \
		(a)->uid = get(task, cred, euid.val);                                              \
		(a)->gid = get(task, cred, egid.val);                                              \
		(a)->loginuid = ~0u;                                                               \
		if (bpf_core_field_exists((task)->loginuid))                                       \
			(a)->loginuid = get(task, loginuid.val);                                   \
		bpf_probe_read_kernel((a)->comm, COMM, &get(task, group_leader)->comm);            \
	})

// fill_actor reads the task directly where the kernel allows it (5.11+).
static __always_inline void fill_actor(struct actor *a)
{
	struct task_struct *task;
	u64 id = bpf_get_current_pid_tgid();

	a->tgid = id >> 32;
	a->tid = id;
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)) {
		task = bpf_get_current_task_btf();
		FILL_ACTOR(a, task, ___arrow);
	} else {
		task = (void *)bpf_get_current_task();
		FILL_ACTOR(a, task, BPF_CORE_READ);
	}
}

static __always_inline void fill_inode(struct record *r, struct inode *inode)
{
	struct super_block *sb;

	if (!inode)
		return;
	sb = fetch(inode, i_sb);
	r->ino = fetch(inode, i_ino);
	r->mode = fetch(inode, i_mode);
	r->nlink = fetch(inode, i_nlink);
	r->size = fetch(inode, i_size);
	r->dev = fetch(sb, s_dev);
	r->magic = fetch(sb, s_magic);
	r->flags |= FLAG_SIZE;
}

// draft claims a slot and fills everything that does not depend on the
// operation. Afterwards the caller adds paths and sends.
static __always_inline struct scratch *draft(struct counters *counted, u32 *slot, u32 op, u32 state,
					     struct inode *inode)
{
	struct scratch *s;

	if (!is_wanted(op))
		return NULL;
	*slot = claim();
	if (*slot == NO_SLOT) {
		count(counted->lost_scratch);
		return NULL;
	}
	s = scratch_at(*slot);
	if (!s)
		return NULL;
	__builtin_memset(&s->record, 0, sizeof(s->record));
	s->trail.start = 0;
	s->record.time = bpf_ktime_get_boot_ns();
	s->record.op = op;
	if (state == UNKNOWN)
		s->record.flags |= FLAG_UNKNOWN;
	fill_inode(&s->record, inode);
	fill_actor(&s->record.actor);
	return s;
}

static __always_inline void send(struct counters *counted, u32 slot, struct scratch *s)
{
	u64 data = s->trail.start;

	s->record.data_bytes = data;
	if (data > DATA_SIZE)
		data = DATA_SIZE;
	if (bpf_ringbuf_output(&ring, &s->record, sizeof(s->record) + data,
			       latest(attentive) ? BPF_RB_NO_WAKEUP : 0))
		count(counted->lost_ring);
	else
		count(counted->emitted);
	release(slot);
}

// emit sends a record about one name of one file.
static __always_inline void emit(struct counters *counted, u32 op, u32 state, u64 dentry, u64 mnt,
				 struct inode *inode)
{
	struct scratch *s;
	u32 slot;

	s = draft(counted, &slot, op, state, inode);
	if (!s)
		return;
	write_path(slot, s, (void *)dentry, mnt, &s->record.path);
	write_mountpoint(slot);
	send(counted, slot, s);
}

// own says whether this very process acts, which would feed back.
static __always_inline bool own(void)
{
	return bpf_get_current_pid_tgid() >> 32 == control.own_tgid;
}

#endif
