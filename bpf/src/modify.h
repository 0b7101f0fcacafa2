// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// modify: the content changed.
//
//   write, splice, copy_file_range, io_uring, fallocate -> the filesystem's
//   write_iter -> file_modified | kiocb_modified | file_update_time
//   a store through a shared mapping -> page_mkwrite -> file_update_time
//
// Filesystems call these after their checks and before the first byte, reads
// never pass here, and stores through mappings pass nowhere else. btrfs does
// not call them for plain writes: there security_file_permission stands in, which
// sees the attempt only.
// truncate(2), ftruncate and O_TRUNC pass notify_change: see setattr.h.
// fallocate(2) passes vfs_fallocate as well.
//
// Reported once per open file, process and name, and again after REARM: a descriptor
// handed to another process has its own event, a log open for weeks does not
// stay silent, and what was written under a name that only looked like a watched
// one takes nothing away from what is written under another.

#ifndef FIM_MODIFY_H
#define FIM_MODIFY_H

#include "attrib.h"

#define REARM (5ull * 1000 * 1000 * 1000) // nanoseconds

static __always_inline void count_soiled(struct inode *inode)
{
	u32 *many = soiled_at(BPF_CORE_READ(inode, i_ino));

	if (many)
		count(*many);
}

// soil notes that what is written to through file is modified, an inode of so many
// bytes. Not inline: it needs stack.
static __noinline struct dirty *soil(struct counters *counted, u64 file, u64 size, u64 mnt)
{
	struct dirty *dirty = bpf_map_lookup_elem(&dirties, &file);
	struct inode *inode = BPF_CORE_READ((struct file *)file, f_inode);
	struct dirty fresh = {};

	if (dirty && dirty->inode == (u64)inode)
		return dirty;
	fresh.inode = (u64)inode;
	fresh.serial = bpf_ktime_get_ns();
	fresh.old_size = size;
	fresh.mnt = mnt;
	if (!bpf_map_update_elem(&dirties, &file, &fresh, dirty ? BPF_ANY : BPF_NOEXIST) && !dirty)
		count_soiled(inode);
	dirty = bpf_map_lookup_elem(&dirties, &file); // perhaps another thread's
	if (!dirty)
		count(counted->lost_map);
	return dirty;
}

// holds says whether what was reported last, in the same place, was known to be true of it
// as now is: Go alone knows what came of a report in doubt, so that one is made again when
// more is known.
static __always_inline bool holds(struct written *last, struct written *now)
{
	if (last->state == UNKNOWN)
		return now->state == UNKNOWN && now->epoch == last->epoch;
	return now->state == last->state || now->state >= UNATTACHED;
}

// due says whether this process's writing through this file is to be reported
// now, and notes that it was.
static __always_inline bool due(struct deed *deed, u64 file, u64 serial)
{
	struct dentry *dentry = deed->dentry;
	struct writer writer = {file, bpf_get_current_pid_tgid() >> 32};
	struct written *last = bpf_map_lookup_elem(&writers, &writer);
	struct written now = {serial, bpf_ktime_get_ns()};

	now.name = address_of(fetch(dentry, d_parent)) + ((u64)fetch(dentry, d_name.hash) << 32);
	now.state = deed->state;
	now.epoch = latest(control.epoch);
	if (last && last->serial == serial && last->name == now.name && now.last - last->last < REARM) {
		if (holds(last, &now))
			return false;
		if (last->state == UNKNOWN)
			deed->flags |= FLAG_RETOLD;
	}
	bpf_map_update_elem(&writers, &writer, &now, BPF_ANY);
	return true;
}

static __always_inline void emit_modify(struct counters *counted, struct deed *deed, struct dirty *dirty, bool over)
{
	struct subject subject = subject_of(deed->dentry);
	struct before *before = bpf_map_lookup_elem(&befores, &subject);
	struct scratch *s;
	u32 slot;

	s = draft(counted, &slot, deed);
	if (dirty)
		note_writer(counted, dirty, s);
	if (!s)
		return;
	if (!over) { // the write is yet to come
		s->record.flags &= ~FLAG_SIZE;
		s->record.before.size = s->record.now.size;
	}
	if (before)
		s->record.before.size = before->attributes.size;
	s->record.flags |= FLAG_OLD_SIZE;
	write_paths(slot, s, deed);
	send(counted, slot, s);
}

// on_modify: over says that it took effect already.
static __always_inline void on_modify(struct file *file, u32 flags, bool over)
{
	struct counters *counted = counters(HOOK_MODIFY);
	struct deed deed = {.op = OP_MODIFY, .flags = flags};
	u64 key = (u64)file;
	struct dirty *dirty;
	struct opened o;

	if (!counted)
		return;
	opened_of(file, &o);
	if (!o.dentry || !o.inode)
		return;
	count(counted->seen);
	if ((fetch(o.inode, i_mode) & S_IFMT) != S_IFREG || nameless(file))
		return;
	deed.dentry = o.dentry;
	deed.inode = o.inode;
	deed.state = of_file(judge(counted, o.dentry), o.inode);
	if (!accepts(deed.state))
		return;
	if (of_layer(file) ? own() : untold(&deed)) {
		count(counted->ignored);
		return;
	}
	deed.mnt = (u64)o.mnt;
	if (over)
		key = written_through(key); // fallocate(2) on overlayfs
	dirty = soil(counted, key, fetch(o.inode, i_size), deed.mnt);
	if (due(&deed, key, dirty ? dirty->serial : 0))
		emit_modify(counted, &deed, dirty, over);
}

// tells_of_writes says whether a filesystem calls the others for every change, as Go
// has it by name.
static __always_inline bool tells_of_writes(u64 magic)
{
	return magic == EXT4_SUPER_MAGIC || magic == XFS_SUPER_MAGIC || magic == TMPFS_MAGIC ||
	       magic == MSDOS_SUPER_MAGIC || magic == OVERLAYFS_SUPER_MAGIC; // of the layer's file
}

static __always_inline void on_permission(struct file *file, int mask)
{
	struct super_block *sb;
	struct inode *inode;

	if (!(mask & MAY_WRITE))
		return;
	inode = fetch(file, f_inode);
	sb = fetch(inode, i_sb);
	if (!tells_of_writes(fetch(sb, s_magic)))
		on_modify(file, FLAG_ATTEMPT, false);
}

// before_fallocate notes the size that the file has: filesystems call the others
// when it has changed already.
static __always_inline void before_fallocate(struct call *call)
{
	struct counters *counted = counters(HOOK_MODIFY);
	struct file *file = (void *)call->arg[0];
	struct dentry *dentry = fetch(file, f_path.dentry);
	struct vfsmount *mnt = fetch(file, f_path.mnt);

	if (counted && !nameless(file) && !of_layer(file) && note_before(counted, dentry))
		soil(counted, written_through((u64)file), size_of(dentry), (u64)mnt);
}

// on_fallocate is for filesystems that call none of the others there (tmpfs
// before 6.0).
static __always_inline void on_fallocate(struct call *call)
{
	struct file *file = (void *)call->arg[0];

	if (!error_of(call))
		on_modify(file, 0, true);
	if (!of_layer(file))
		forget_before(fetch(file, f_path.dentry));
}

ENTRY_HOOK(file_update_time, on_modify(file, 0, false), struct file *file)
ENTRY_HOOK(file_modified, on_modify(file, 0, false), struct file *file)
ENTRY_HOOK(kiocb_modified, on_modify(fetch(iocb, ki_filp), 0, false), struct kiocb *iocb)
ENTRY_HOOK(file_update_time_flags, on_modify(file, 0, false), struct file *file)
SECURITY_HOOK(file_permission, on_permission(file, mask), struct file *file, int mask)
AROUND_HOOK(vfs_fallocate, 1, before_fallocate, on_fallocate)

#endif
