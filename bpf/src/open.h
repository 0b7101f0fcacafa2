// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// open and create (O_CREAT that created), and the seeds.
//
//   openat(2), io_uring -> do_filp_open -> path_openat -> vfs_open or
//   ->atomic_open -> do_dentry_open -> security_file_open
//
// Every road to an open file passes security_file_open; at that point a file
// that this open created has FMODE_CREATED and its inode (5.10 to 7.2). As an
// LSM program it runs behind the other modules, which `lsm=` lists before bpf;
// as fexit or kretprobe it sees their verdict.

#include "hook.h"

// take_seed makes the directory just opened a seed. The hook takes the inode
// itself, because no number that user space sees names it surely (btrfs
// subvolumes share numbers, tmpfs hides generations). One that it has keeps its
// state, which may join several mounts: Go sets the new one.
static __always_inline void take_seed(struct file *file)
{
	struct dentry *dentry = fetch(file, f_path.dentry);
	struct inode *inode = fetch(file, f_inode);
	struct super_block *sb;
	struct seed seed = {.state = control.seed_state};
	u64 key = (u64)inode;
	u32 live = seed.state != DEAD;

	if (!inode || !dentry)
		return;
	sb = fetch(inode, i_sb);
	seed.dev = fetch(sb, s_dev);
	seed.ino = fetch(inode, i_ino);
	seed.generation = fetch(inode, i_generation);
	if (!seed_of(key) && bpf_map_update_elem(&seeds, &key, &seed, BPF_ANY))
		return;
	bpf_map_update_elem(&supers, &seed.dev, &live, live ? BPF_ANY : BPF_NOEXIST);
	if (fetch(sb, s_root) != dentry)
		control.binds = 1;
	control.seed_inode = key;
	control.seed_tid = 0;
	control.seeded++;
}

// is_seed says whether this open is the one that Go announced.
static __always_inline bool is_seed(void)
{
	return control.seed_tid && own() && control.seed_tid == (u32)bpf_get_current_pid_tgid();
}

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
	if (is_seed()) {
		take_seed(file);
		return;
	}
	op = fetch(file, f_mode) & FMODE_CREATED ? OP_CREATE : OP_OPEN;
	if (!is_wanted(op) || nameless(file))
		return;
	dentry = fetch(file, f_path.dentry);
	state = judge(counted, dentry, fetch(file, f_path.mnt));
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
