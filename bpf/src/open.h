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

#include "make.h"

static __always_inline void on_open(struct file *file)
{
	struct counters *counted = counters(HOOK_OPEN);
	struct vfsmount *mnt;
	struct deed deed = {.flags = FLAG_GIVEN};

	if (!counted)
		return;
	count(counted->seen);
	deed.op = fetch(file, f_mode) & FMODE_CREATED ? OP_CREATE : OP_OPEN;
	if (!is_wanted(deed.op) || nameless(file))
		return;
	deed.dentry = fetch(file, f_path.dentry);
	mnt = fetch(file, f_path.mnt);
	deed.inode = fetch(file, f_inode);
	deed.state = of_file(judge(counted, deed.dentry), deed.inode);
	if (!accepts(deed.state) || of_layer(file))
		return;
	deed.mnt = (u64)mnt;
	deed.given = fetch(file, f_flags);
	if (untold(&deed))
		count(counted->ignored);
	else
		emit(counted, &deed);
}

static __always_inline void on_opened(struct call *call)
{
	struct counters *counted = counters(HOOK_OPEN);

	if (!error_of(call))
		on_open((void *)call->arg[0]);
	else if (counted)
		count(counted->failed);
}

// on_may_open tells of an opening or execution that permissions refused. It
// comes before security_file_open and alone sees these.
static __always_inline void on_may_open(struct call *call)
{
	struct counters *counted = counters(HOOK_OPEN);
	const struct path *path = (void *)call->arg[0];
	struct deed deed = {.op = OP_OPEN, .given = call->arg[2], .flags = FLAG_GIVEN};
	struct vfsmount *mnt;
	u32 mode = call->arg[1];

	if (!counted || !error_of(call))
		return;
	deed.error = ended(counted, call);
	if (deed.error == NOT_TOLD)
		return;
	if (mode & MAY_EXEC && !(mode & (MAY_READ | MAY_WRITE)))
		deed = (struct deed){.op = OP_EXEC, .error = deed.error};
	deed.dentry = fetch(path, dentry);
	mnt = fetch(path, mnt);
	deed.inode = fetch(deed.dentry, d_inode);
	deed.state = of_file(judge(counted, deed.dentry), deed.inode);
	if (!accepts(deed.state) || untold(&deed))
		return;
	deed.mnt = (u64)mnt;
	emit(counted, &deed);
}

#ifndef PROBES
SEC("lsm/file_open") int BPF_PROG(lsm_security_file_open, struct file *file)
{
	on_open(file);
	return 0;
}
#endif
RESULT_HOOK(security_file_open, 1, on_opened)
RESULT_HOOK(may_open, 3, on_may_open)
