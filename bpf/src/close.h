// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// close: the last reference of a file that was modified is gone.
//
//   close(2), exit, munmap -> fput -> (task work or kworker) __fput ->
//   security_file_release (6.9+), locks_remove_file
//
// Both still see the path. __fput often runs in another task, so the actor is
// the one that wrote last. locks_remove_file stands in where the security hook
// does not exist: __fput calls it for every file, and unlike __fput it is not
// static.

#include "hook.h"

// emit_close reports with the writer as actor. Its view path is known only
// while it is the writer itself that closes: another task has another root.
static __always_inline void emit_close(struct counters *counted, struct deed *deed, struct dirty *dirty)
{
	struct scratch *s;
	u32 slot;

	if (bpf_get_current_pid_tgid() >> 32 == dirty->actor.tgid)
		deed->mnt = dirty->mnt;
	s = draft(counted, &slot, deed);
	if (!s)
		return;
	s->record.actor = dirty->actor;
	s->record.before.size = dirty->old_size;
	s->record.flags |= FLAG_OLD_SIZE;
	write_paths(slot, s, deed);
	send(counted, slot, s);
}

static __always_inline void on_release(struct file *file)
{
	struct counters *counted;
	struct deed deed = {.op = OP_CLOSE};
	struct inode *inode;
	u64 key = (u64)file;
	struct dirty *dirty;
	struct opened o;
	u32 *many;

	if (!(fetch(file, f_mode) & FMODE_WRITE))
		return;
	inode = fetch(file, f_inode);
	many = inode ? soiled_at(fetch(inode, i_ino)) : NULL;
	if (!many || !*(volatile u32 *)many)
		return;
	dirty = bpf_map_lookup_elem(&dirties, &key);
	if (!dirty)
		return;
	counted = counters(HOOK_CLOSE);
	if (!counted)
		return;
	count(counted->seen);
	opened_of(file, &o);
	if (o.dentry && o.inode && dirty->inode == (u64)inode && dirty->actor.tgid) {
		deed.dentry = o.dentry;
		deed.inode = o.inode;
		deed.state = of_file(judge(counted, o.dentry), o.inode);
		if (accepts(deed.state))
			emit_close(counted, &deed, dirty);
	}
	if (!bpf_map_delete_elem(&dirties, &key))
		__sync_fetch_and_add(many, -1);
}

SECURITY_HOOK(file_release, on_release(file), struct file *file)
ENTRY_HOOK(locks_remove_file, on_release(file), struct file *file)
