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
//
// Reported once per open file and process and again after REARM: a descriptor
// handed to another process has its own event, a log open for weeks does not
// stay silent.

#include "hook.h"

#define REARM (5ull * 1000 * 1000 * 1000) // nanoseconds
#define MAY_WRITE 2                       // include/linux/fs.h

static __always_inline void count_soiled(struct inode *inode)
{
	u32 *many = soiled_at(fetch(inode, i_ino));

	if (many)
		count(*many);
}

// soil notes that file is modified. Not inline: it needs stack.
static __noinline struct dirty *soil(struct counters *counted, u64 file, struct inode *inode, u64 mnt)
{
	struct dirty *dirty = bpf_map_lookup_elem(&dirties, &file);
	struct dirty fresh = {};

	if (dirty && dirty->inode == (u64)inode)
		return dirty;
	fresh.inode = (u64)inode;
	fresh.serial = bpf_ktime_get_ns();
	fresh.old_size = fetch(inode, i_size);
	fresh.mnt = mnt;
	if (!bpf_map_update_elem(&dirties, &file, &fresh, dirty ? BPF_ANY : BPF_NOEXIST) && !dirty)
		count_soiled(inode);
	dirty = bpf_map_lookup_elem(&dirties, &file); // perhaps another thread's
	if (!dirty)
		count(counted->lost_map);
	return dirty;
}

// due says whether this process's writing through this file is to be reported
// now, and notes that it was.
static __always_inline bool due(u64 file, u64 serial)
{
	struct writer writer = {file, bpf_get_current_pid_tgid() >> 32};
	struct written *last = bpf_map_lookup_elem(&writers, &writer);
	struct written now = {serial, bpf_ktime_get_ns()};

	if (last && last->serial == serial && now.last - last->last < REARM)
		return false;
	bpf_map_update_elem(&writers, &writer, &now, BPF_ANY);
	return true;
}

static __always_inline void emit_modify(struct counters *counted, u32 state, struct dentry *dentry, u64 mnt,
					struct inode *inode, struct dirty *dirty, u32 flags)
{
	struct scratch *s;
	u32 slot;

	if (dirty)
		fill_actor(&dirty->actor);
	s = draft(counted, &slot, OP_MODIFY, state, inode);
	if (!s)
		return;
	s->record.flags &= ~FLAG_SIZE; // the write is yet to come
	s->record.old_size = s->record.size;
	s->record.flags |= FLAG_OLD_SIZE | flags;
	write_path(slot, s, dentry, mnt, &s->record.path);
	write_mountpoint(slot);
	send(counted, slot, s);
}

static __always_inline void on_modify(struct file *file, u32 flags)
{
	struct counters *counted = counters(HOOK_MODIFY);
	struct vfsmount *mnt = fetch(file, f_path.mnt);
	struct dentry *dentry = fetch(file, f_path.dentry);
	struct inode *inode = fetch(file, f_inode);
	struct dirty *dirty;
	u32 state;

	if (!counted || !inode || !dentry)
		return;
	count(counted->seen);
	if ((fetch(inode, i_mode) & S_IFMT) != S_IFREG || nameless(file))
		return;
	state = judge(counted, dentry);
	if (!accepts(state))
		return;
	if (own()) {
		count(counted->ignored);
		return;
	}
	dirty = soil(counted, (u64)file, inode, (u64)mnt);
	if (due((u64)file, dirty ? dirty->serial : 0))
		emit_modify(counted, state, dentry, (u64)mnt, inode, dirty, flags);
}

static __always_inline void on_permission(struct file *file, int mask)
{
	if (mask & MAY_WRITE)
		on_modify(file, FLAG_ATTEMPT);
}

ENTRY_HOOK(file_update_time, on_modify(file, 0), struct file *file)
ENTRY_HOOK(file_modified, on_modify(file, 0), struct file *file)
ENTRY_HOOK(kiocb_modified, on_modify(fetch(iocb, ki_filp), 0), struct kiocb *iocb)
ENTRY_HOOK(file_update_time_flags, on_modify(file, 0), struct file *file)
SECURITY_HOOK(file_permission, on_permission(file, mask), struct file *file, int mask)
