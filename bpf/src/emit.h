// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// A record: claimed, filled, sent once. Whatever keeps it from being sent is
// counted by reason.

#ifndef FIM_EMIT_H
#define FIM_EMIT_H

#include "inodes.h"

#define PATH_TRIES 12

// The operations that are asked for, bit by enum op; others are not sent.
const volatile u32 wanted = 0;

// Whether refused attempts are asked for too. A refused opening or execution then
// is, though those that succeed may not be: they come too often.
const volatile u32 report_failed = 0;

static __always_inline bool is_wanted(u32 op)
{
	return wanted >> op & 1;
}

// deed is what a record tells of.
struct deed {
	u32 op;
	u32 state; // of what dentry names
	int error; // 0: it succeeded
	struct dentry *dentry;
	struct inode *inode; // NULL: not known
	u64 mnt;             // the actor's mount; 0: not known
	u32 given;           // flags, with FLAG_GIVEN in flags
	u32 flags;
};

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

REPEAT(write_more_names, write_some_names, TURNS)
REPEAT(write_names, write_more_names, ROUNDS)

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
	struct vfsmount *mnt = (void *)t->via;

	t->at = t->dentry;
	t->mnt = t->root ? t->via : 0;
	t->mnt_root = mnt ? (u64)BPF_CORE_READ(mnt, mnt_root) : 0;
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
	s->trail.at = s->trail.mnt_root;
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

// FILL_ACTOR tells who acts; get is how members of the task are read. Each pointer
// on the way is read once: that is a search through all of the kernel's types for
// the verifier.
#define FILL_ACTOR(a, task, get)                                                                   \
	({                                                                                         \
		struct task_struct *leader = get(task, group_leader);                              \
		const struct cred *cred = get(task, cred);                                         \
                                                                                                   \
		(a)->start = get(leader, start_boottime);                                          \
		(a)->ppid = get(leader, real_parent, tgid);                                        \
		(a)->uid = get(cred, euid.val);                                                    \
		(a)->gid = get(cred, egid.val);                                                    \
		(a)->loginuid = ~0u;                                                               \
		if (bpf_core_field_exists((task)->loginuid))                                       \
			(a)->loginuid = get(task, loginuid.val);                                   \
		bpf_probe_read_kernel((a)->comm, COMM, leader->comm);                              \
	})

// FILL_ROOT notes the actor's root directory. A task that is ending has none left.
#define FILL_ROOT(t, task, get)                                                                    \
	({                                                                                         \
		struct fs_struct *fs = get(task, fs);                                              \
                                                                                                   \
		(t)->root = (u64)get(fs, root.dentry);                                             \
		(t)->root_mnt = (u64)get(fs, root.mnt);                                            \
	})

#define HAS_TASK_BTF bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)

// fill_actor reads the task directly where the kernel allows it (5.11+).
static __always_inline void fill_actor(struct actor *a)
{
	struct task_struct *task;
	u64 id = bpf_get_current_pid_tgid();

	a->tgid = id >> 32;
	a->tid = id;
	if (HAS_TASK_BTF) {
		task = bpf_get_current_task_btf();
		FILL_ACTOR(a, task, ___arrow);
	} else {
		task = (void *)bpf_get_current_task();
		FILL_ACTOR(a, task, BPF_CORE_READ);
	}
}

static __always_inline void fill_root(struct trail *t)
{
	struct task_struct *task;

	if (HAS_TASK_BTF) {
		task = bpf_get_current_task_btf();
		FILL_ROOT(t, task, ___arrow);
	} else {
		task = (void *)bpf_get_current_task();
		FILL_ROOT(t, task, BPF_CORE_READ);
	}
}

// fill_who tells who acts. Not inlined: for each pointer that a program loads from a
// task, Linux 6.2 to 6.18 search all of the kernel's types four times, whenever the
// verifier passes it; a global function it passes once.
__noinline int fill_who(u32 slot)
{
	struct scratch *s = scratch_at(slot);

	if (!s)
		return 0;
	fill_actor(&s->record.actor);
	fill_root(&s->trail);
	return 0;
}

// FILL_INODE tells of a file; get is how members are read.
#define FILL_TIMES(a, i, of, get)                                                                  \
	({                                                                                         \
		(a)->mtime = get(i, of##i_mtime.tv_sec);                                           \
		(a)->atime = get(i, of##i_atime.tv_sec);                                           \
		(a)->mtime_nsec = get(i, of##i_mtime.tv_nsec);                                     \
		(a)->atime_nsec = get(i, of##i_atime.tv_nsec);                                     \
	})

#define FILL_ATTRIBUTES(a, inode, get)                                                             \
	({                                                                                         \
		struct inode___whole *whole = (void *)(inode);                                     \
		struct inode___hidden *hidden = (void *)(inode);                                   \
		struct inode___split *split = (void *)(inode);                                     \
                                                                                                   \
		(a)->size = get(inode, i_size);                                                    \
		(a)->uid = get(inode, i_uid.val);                                                  \
		(a)->gid = get(inode, i_gid.val);                                                  \
		(a)->nlink = get(inode, i_nlink);                                                  \
		(a)->mode = get(inode, i_mode);                                                    \
		if (bpf_core_field_exists(split->i_mtime_sec)) {                                   \
			(a)->mtime = get(split, i_mtime_sec);                                      \
			(a)->atime = get(split, i_atime_sec);                                      \
			(a)->mtime_nsec = get(split, i_mtime_nsec);                                \
			(a)->atime_nsec = get(split, i_atime_nsec);                                \
		} else if (bpf_core_field_exists(hidden->__i_mtime)) {                             \
			FILL_TIMES(a, hidden, __, get);                                            \
		} else {                                                                           \
			FILL_TIMES(a, whole, , get);                                               \
		}                                                                                  \
	})

#define FILL_INODE(r, inode, get)                                                                  \
	({                                                                                         \
		struct super_block *sb = get(inode, i_sb);                                         \
                                                                                                   \
		(r)->ino = get(inode, i_ino);                                                      \
		(r)->dev = get(sb, s_dev);                                                         \
		(r)->magic = get(sb, s_magic);                                                     \
		(r)->flags |= FLAG_NOW | FLAG_SIZE;                                                \
		FILL_ATTRIBUTES(&(r)->now, inode, get);                                            \
	})

#ifdef PROBES
#define GET BPF_CORE_READ
#else
#define GET ___arrow
#endif

static __always_inline void fill_attributes(struct attributes *a, struct inode *inode)
{
	FILL_ATTRIBUTES(a, inode, GET);
}

// fill_layer tells where a file of overlayfs lies. struct ovl_inode begins with the
// inode, and the dentry in the upper layer comes behind that (fs/overlayfs/ovl_entry.h,
// 5.10 to 7.2).
static __noinline int fill_layer(struct record *r, u64 inode)
{
	u64 upper = 0;

	bpf_probe_read_kernel(&upper, sizeof(upper), (void *)(inode + bpf_core_type_size(struct inode)));
	if (!upper) {
		r->flags |= FLAG_LOWER;
		return 0;
	}
	r->flags |= FLAG_UPPER;
	r->real_ino = BPF_CORE_READ((struct dentry *)upper, d_inode, i_ino);
	if (BPF_CORE_READ((struct dentry *)upper, d_sb, s_magic) != BTRFS_SUPER_MAGIC) // see statDev in Go
		r->real_dev = BPF_CORE_READ((struct dentry *)upper, d_sb, s_dev);
	return 0;
}

// fill_file tells of inode, or where there is none of the filesystem: without it
// the path would have no place.
static __always_inline void fill_file(struct record *r, struct inode *inode, struct dentry *dentry)
{
	if (inode) {
		FILL_INODE(r, inode, GET);
		if (r->magic == OVERLAYFS_SUPER_MAGIC)
			fill_layer(r, address_of(inode));
	} else {
		r->dev = BPF_CORE_READ(dentry, d_sb, s_dev);
		r->magic = BPF_CORE_READ(dentry, d_sb, s_magic);
	}
}

// probe_inode is fill_file for an address of which the verifier knows nothing.
static __always_inline void probe_inode(struct record *r, struct inode *inode)
{
	FILL_INODE(r, inode, BPF_CORE_READ);
	if (r->magic == OVERLAYFS_SUPER_MAGIC)
		fill_layer(r, (u64)inode);
}

static __always_inline void fill_mount(struct record *r, u64 mnt)
{
	if (mnt)
		r->mount_id = BPF_CORE_READ(mount_of((struct vfsmount *)mnt), mnt_id);
}

// asked_for says whether a record of it is to be sent.
static __always_inline bool asked_for(u32 op, int error)
{
	if (!error)
		return is_wanted(op);
	return report_failed && (is_wanted(op) || op == OP_OPEN || op == OP_EXEC);
}

// draft claims a slot and fills everything that does not depend on the
// operation. Afterwards the caller adds paths and sends.
static __always_inline struct scratch *draft(struct counters *counted, u32 *slot, struct deed *deed)
{
	struct scratch *s;

	if (!asked_for(deed->op, deed->error))
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
	s->record.op = deed->op;
	s->record.error = deed->error;
	s->record.given = deed->given;
	s->record.flags = deed->flags;
	if (deed->state == UNKNOWN)
		s->record.flags |= FLAG_UNKNOWN;
	if (deed->state == ALIAS)
		s->record.flags |= FLAG_ALIAS;
	fill_file(&s->record, deed->inode, deed->dentry);
	if (deed->inode && deed->state < ALIAS && !deed->error && has_names(deed->inode, 1))
		note_inode(counted, (u64)deed->inode);
	fill_mount(&s->record, deed->mnt);
	fill_who(*slot);
	return s;
}

// write_paths adds the path in the filesystem and as the actor sees it.
static __always_inline void write_paths(u32 slot, struct scratch *s, struct deed *deed)
{
	write_path(slot, s, deed->dentry, deed->mnt, &s->record.path);
	write_mountpoint(slot);
}

// write_child adds the path of a name in the directory that is the deed's dentry.
static __always_inline void write_child(u32 slot, struct scratch *s, struct deed *deed, const char *name)
{
	struct names *path = &s->record.path;
	long n = bpf_probe_read_kernel_str(s->data, NAME_SPACE, name);

	if (n <= 0)
		return;
	s->trail.start = n;
	write_path(slot, s, deed->dentry, deed->mnt, path);
	path->bytes += n;
	path->count++;
	if (path->in_mount || s->record.flags & FLAG_VIEW)
		path->in_mount++;
	write_mountpoint(slot);
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
static __always_inline void emit(struct counters *counted, struct deed *deed)
{
	struct scratch *s;
	u32 slot;

	s = draft(counted, &slot, deed);
	if (!s)
		return;
	write_paths(slot, s, deed);
	send(counted, slot, s);
}

// write_text adds a string of the kernel's: the target of a symlink, the name of
// an extended attribute.
static __always_inline void write_text(struct scratch *s, u64 text)
{
	u32 at = s->trail.start;
	long n;

	if (at > DATA_SIZE - MAX_PATH) {
		s->record.flags |= FLAG_TEXT_CUT;
		return;
	}
	n = bpf_probe_read_kernel_str(&s->data[at & (DATA_SIZE - 1)], MAX_PATH, (void *)text);
	if (n <= 1)
		return;
	s->record.text_bytes = n - 1;
	s->trail.start = at + n - 1;
}

// own says whether this very process acts, which would feed back.
static __always_inline bool own(void)
{
	return bpf_get_current_pid_tgid() >> 32 == control.own_tgid;
}

#endif
