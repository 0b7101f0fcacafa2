// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// A record: claimed, filled, sent once. Whatever keeps it from being sent is
// counted by reason.

#ifndef FIM_EMIT_H
#define FIM_EMIT_H

#include "device.h"
#include "inodes.h"
#include "process.h"

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
	u64 lower;           // dentry of the file in a lower layer, if that is what is watched; 0: it is not
	u32 given;           // flags, with FLAG_GIVEN in flags
	u32 flags;
	bool tree; // it comes or goes with all that is in it, of which something may be watched
};

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
	names->tree = t->tree;
	names->below = t->below;
	t->start = t->used;
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

// fill_layer tells where a file of overlayfs lies.
static __noinline int fill_layer(struct record *r, u64 inode)
{
	u64 upper = upper_of(inode);

	if (!upper) {
		r->flags |= FLAG_LOWER;
		return 0;
	}
	r->flags |= FLAG_UPPER;
	r->real_ino = BPF_CORE_READ((struct dentry *)upper, d_inode, i_ino);
	r->real_dev = shown_dev((u64)BPF_CORE_READ((struct dentry *)upper, d_inode));
	return 0;
}

// fill_shown tells what stat(2) shows of a file where that is another than the inode's.
static __noinline int fill_shown(struct record *r, u64 inode)
{
	r->stat_dev = shown_dev(inode);
	if (r->magic == OVERLAYFS_SUPER_MAGIC) {
		r->ino = overlay_ino(inode);
		fill_layer(r, inode);
	}
	return 0;
}

static __always_inline bool shows_another(u64 magic)
{
	return magic == OVERLAYFS_SUPER_MAGIC || magic == BTRFS_SUPER_MAGIC;
}

// fill_file tells of inode, or where there is none of the filesystem: without it
// the path would have no place.
static __always_inline void fill_file(struct scratch *s, struct inode *inode, struct dentry *dentry)
{
	struct record *r = &s->record;

	s->trail.top = 0;
	if (inode) {
		s->trail.top = (u64)GET(inode, i_sb, s_root);
		FILL_INODE(r, inode, GET);
		if (shows_another(r->magic))
			fill_shown(r, address_of(inode));
	} else {
		r->dev = BPF_CORE_READ(dentry, d_sb, s_dev);
		r->magic = BPF_CORE_READ(dentry, d_sb, s_magic);
	}
}

// probe_inode is fill_file for an address of which the verifier knows nothing.
static __always_inline void probe_inode(struct record *r, struct inode *inode)
{
	FILL_INODE(r, inode, BPF_CORE_READ);
	if (shows_another(r->magic))
		fill_shown(r, (u64)inode);
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
	fill_file(s, deed->inode, deed->dentry);
	if (deed->inode && deed->state < ALIAS && !deed->error && has_names(deed->inode, 1))
		note_inode(counted, (u64)deed->inode, 0);
	if (following() && deed->inode)
		s->record.followed = followed_since((u64)deed->inode);
	fill_mount(&s->record, deed->mnt);
	fill_who(*slot);
	return s;
}

// note_writer keeps who writes, for the close: as a record has it that was drafted. For
// want of memory nobody is known to, and the close, which is then not told, is lost.
static __noinline int note_writer(struct counters *counted, struct dirty *dirty, struct scratch *drafted)
{
	struct scratch *s = drafted;
	u32 slot = NO_SLOT;

	if (!s) {
		slot = claim();
		s = slot == NO_SLOT ? NULL : scratch_at(slot);
		if (!s) {
			dirty->actor.tgid = 0;
			count(counted->lost_scratch);
			return 0;
		}
		__builtin_memset(&s->record.actor, 0, sizeof(s->record.actor));
		fill_who(slot);
	}
	dirty->actor = s->record.actor;
	if (slot != NO_SLOT)
		release(slot);
	return 0;
}

// write_layer adds where the upper layer of an overlay is, or the file in a lower one. What
// keeps it from that leaves the rest of the record true.
static __always_inline void write_layer(u32 slot, struct scratch *s, struct deed *deed)
{
	struct record *r = &s->record;
	struct dentry *dentry = deed->dentry;
	u32 flags = r->flags;
	u64 upper = deed->lower;

	if (r->magic != OVERLAYFS_SUPER_MAGIC)
		return;
	if (!upper)
		upper = upper_root(BPF_CORE_READ(dentry, d_sb));
	if (!upper)
		return;
	s->trail.top = 0;
	write_path(slot, s, (void *)upper, 0, &r->layer);
	if (s->trail.flags & (FLAG_UNATTACHED | FLAG_CUT | FLAG_UNSTABLE)) {
		s->trail.start -= r->layer.bytes;
		r->layer.bytes = 0;
	} else {
		r->layer_dev = BPF_CORE_READ((struct dentry *)upper, d_sb, s_dev);
	}
	r->flags = flags;
}

// write_places adds the rest to paths in the filesystem: how the actor sees them, and
// of overlayfs where they are below.
static __always_inline void write_places(u32 slot, struct scratch *s, struct deed *deed)
{
	write_mountpoint(slot);
	write_layer(slot, s, deed);
}

// write_paths adds the path in the filesystem, and that.
static __always_inline void write_paths(u32 slot, struct scratch *s, struct deed *deed)
{
	write_path(slot, s, deed->dentry, deed->mnt, &s->record.path);
	write_places(slot, s, deed);
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
	if (path->below)
		path->below++;
	write_places(slot, s, deed);
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
