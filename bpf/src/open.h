// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// open and create (O_CREAT that created).
//
//   openat(2), io_uring -> do_filp_open -> path_openat -> vfs_open or
//   ->atomic_open -> do_dentry_open -> security_file_open
//
// Every road to an open file passes security_file_open; at that point a file
// that this open created has FMODE_CREATED and its inode (5.10 to 7.2). As an
// LSM program it runs behind the other modules, which `lsm=` lists before bpf;
// as fexit or kretprobe it sees their verdict.

#include "hook.h"

static __always_inline void on_open(u64 first, u64 second, u64 result, u32 pointer)
{
	struct counters *counted = counters(HOOK_OPEN);
	struct file *file = (void *)first;
	struct dentry *dentry;
	u32 op, state;

	if (!counted)
		return;
	count(counted->seen);
	if ((int)result) {
		count(counted->failed);
		return;
	}
	op = fetch(file, f_mode) & FMODE_CREATED ? OP_CREATE : OP_OPEN;
	if (!is_wanted(op) || nameless(file))
		return;
	dentry = fetch(file, f_path.dentry);
	state = judge(counted, dentry);
	if (!accepts(state))
		return;
	if (own())
		count(counted->ignored);
	else
		emit(counted, op, state, (u64)dentry, (u64)fetch(file, f_path.mnt), fetch(file, f_inode));
}

#ifndef PROBES
SEC("lsm/file_open") int BPF_PROG(lsm_security_file_open, struct file *file)
{
	on_open((u64)file, 0, 0, 0);
	return 0;
}
#endif
RESULT_HOOK(security_file_open, on_open)
