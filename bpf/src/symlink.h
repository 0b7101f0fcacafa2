// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// symlink: a new symbolic link, with what it points to.
//
//   symlinkat(2), io_uring, nfsd -> vfs_symlink(…, dentry, oldname)

#include "make.h"

static __always_inline void write_target(struct scratch *s, u64 target)
{
	u32 at = s->trail.start;
	long n;

	if (at > DATA_SIZE - MAX_PATH)
		return;
	n = bpf_probe_read_kernel_str(&s->data[at & (DATA_SIZE - 1)], MAX_PATH, (void *)target);
	if (n <= 1)
		return;
	s->record.target_bytes = n - 1;
	s->trail.start = at + n - 1;
}

static __always_inline void on_symlink(u64 first, u64 second, u64 result, u32 pointer)
{
	struct counters *counted = counters(HOOK_SYMLINK);
	struct dentry *dentry = (void *)first;
	struct scratch *s;
	u64 mnt;
	u32 state, slot;

	if (!counted || !committed(HOOK_SYMLINK, result, pointer))
		return;
	state = judge_change(counted, dentry);
	if (!accepts(state))
		return;
	mnt = take_mount(dentry);
	if (own()) {
		count(counted->ignored);
		return;
	}
	s = draft(counted, &slot, OP_SYMLINK, state, fetch(dentry, d_inode));
	if (!s)
		return;
	write_path(slot, s, dentry, mnt, &s->record.path);
	write_mountpoint(slot);
	write_target(s, second);
	send(counted, slot, s);
}

SECURITY_HOOK(path_symlink, on_path(dir, dentry), const struct path *dir, struct dentry *dentry)
RESULT_HOOK(vfs_symlink, on_symlink)
