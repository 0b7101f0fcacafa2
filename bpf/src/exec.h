// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// exec: a file is executed: a program, or a script and then its interpreter.
//
//   execve(2) -> bprm_execve -> exec_binprm -> security_bprm_check (of each file)
//   -> begin_new_exec -> security_bprm_committed_creds (there is no way back)
//
// The first hook notes the files, the second tells. What may_open refused is in
// open.h. A script is let go before the second hook, though not freed before the
// call returns to its process; what is told of it is checked once more.

#include "make.h"

static __always_inline void note_image(struct image *image, struct file *file, struct inode *inode, u32 state)
{
	image->dentry = (u64)fetch(file, f_path.dentry);
	image->mnt = (u64)fetch(file, f_path.mnt);
	image->inode = (u64)inode;
	image->ino = fetch(inode, i_ino);
	image->generation = fetch(inode, i_generation);
	image->state = state;
}

static __always_inline void on_exec_check(struct linux_binprm *bprm)
{
	struct counters *counted = counters(HOOK_EXEC);
	struct file *file = fetch(bprm, file);
	struct inode *inode = fetch(file, f_inode);
	bool first = fetch(bprm, interp) == fetch(bprm, filename);
	u32 state, tid = bpf_get_current_pid_tgid();
	struct exec fresh = {}, *exec;

	if (!counted || !inode)
		return;
	count(counted->seen);
	state = of_file(judge(counted, fetch(file, f_path.dentry)), inode);
	exec = bpf_map_lookup_elem(&execs, &tid);
	if (first && exec) {
		bpf_map_delete_elem(&execs, &tid);
		exec = NULL;
	}
	if (!accepts(state))
		return;
	if (exec) {
		note_image(&exec->image[exec->image[0].inode != 0], file, inode, state);
		return;
	}
	note_image(&fresh.image[0], file, inode, state);
	if (bpf_map_update_elem(&execs, &tid, &fresh, BPF_ANY))
		count(counted->lost_map);
}

// emit_image works on addresses, whose objects it does not hold.
static __noinline int emit_image(struct counters *counted, struct image *image)
{
	struct dentry *dentry = (void *)image->dentry;
	struct inode *inode = (void *)image->inode;
	struct deed deed = {.op = OP_EXEC, .state = image->state, .dentry = dentry, .mnt = image->mnt};
	struct scratch *s;
	u32 slot;

	if (!inode || BPF_CORE_READ(dentry, d_inode) != inode || BPF_CORE_READ(inode, i_ino) != image->ino ||
	    BPF_CORE_READ(inode, i_generation) != image->generation)
		return 0;
	s = draft(counted, &slot, &deed);
	if (!s)
		return 0;
	probe_inode(&s->record, inode);
	write_paths(slot, s, &deed);
	send(counted, slot, s);
	return 0;
}

static __always_inline void on_exec(u64 bprm)
{
	struct counters *counted = counters(HOOK_EXEC);
	u32 tid = bpf_get_current_pid_tgid();
	struct exec *exec = bpf_map_lookup_elem(&execs, &tid);

	if (!counted || !exec)
		return;
	exec->bprm = bprm;
	if (own())
		count(counted->ignored);
	else
		for (int i = 0; i < IMAGES; i++)
			emit_image(counted, &exec->image[i]);
	bpf_map_delete_elem(&execs, &tid);
}

SECURITY_HOOK_AS(bprm_check_security, bprm_check, on_exec_check(bprm), struct linux_binprm *bprm)
SECURITY_HOOK(bprm_committed_creds, on_exec((u64)bprm), struct linux_binprm *bprm)
