// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// All programs. Compiled twice: as is for LSM, fentry and fexit ("trampolines"),
// with -DPROBES for kprobe and kretprobe ("probes").

#include "open.h"
#include "modify.h"
#include "close.h"
#include "unlink.h"
#include "rename.h"
#include "mkdir.h"
#include "subvolume.h"
#include "mknod.h"
#include "link.h"
#include "symlink.h"
#include "setattr.h"
#include "xattr.h"
#include "chattr.h"
#include "mmap.h"
#include "exec.h"
#include "mount.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

// Keep the types that no map names in the object's BTF, for bpf2go.
const struct process *unused_process __attribute__((unused));
const enum process_flag *unused_process_flag __attribute__((unused));
const struct record *unused_record __attribute__((unused));
const enum hook *unused_hook __attribute__((unused));
const enum flag *unused_flag __attribute__((unused));
const enum op *unused_op __attribute__((unused));
const enum state_flag *unused_state_flag __attribute__((unused));

#ifndef PROBES

// arm runs in Go's own thread (BPF_PROG_TEST_RUN calls it there), so it knows
// what ids that thread has in the initial namespaces, whatever namespace Go
// lives in. Arguments: what to do, and with what.
enum arm {
	ARM_OWN,    // learn who Go is; the host is as the first process sees it, or, with 0, as Go does
	ARM_BUMP,   // void all tags
	ARM_SURVEY, // make a survey of the host's mounts, with 1 one that takes nothing from those before
	ARM_DROP,   // drop the seed of this address, if it is out of use
	ARM_ARRIVE, // end the move of this thread, whose end was not seen
	ARM_INODE,  // note the file that this descriptor of Go's is open for, with 1 as mounted by itself
	ARM_FORGET, // what has this number, on this device, and is followed since then: not to follow it any more
};

// first_process is the one that all others stem from.
static __always_inline struct task_struct *first_process(struct task_struct *task)
{
	for (int i = 0; i < STRETCH; i++) {
		if (!task || BPF_CORE_READ(task, pid) == 1)
			break;
		task = BPF_CORE_READ(task, real_parent);
	}
	return task;
}

// arrived ends a move that nobody else will. The next survey follows it.
static __always_inline void arrived(u32 tid)
{
	u64 lifted;

	if (!(arrive(tid, &lifted) & LEAVE_SURVEY))
		return;
	latest(control.moved) = bpf_ktime_get_boot_ns();
	count(control.moves);
	count(control.asked);
	__sync_fetch_and_add(&control.carrying, -1);
}

static __always_inline void drop_seed(u64 address)
{
	struct seed *seed;
	u32 token;

	if (bpf_map_pop_elem(&turn, &token))
		return;
	seed = bpf_map_lookup_elem(&seeds, &address);
	if (seed && seed->sights[0].survey != control.survey && seed->sights[1].survey != control.survey && !fallen(seed))
		bpf_map_delete_elem(&seeds, &address);
	bpf_map_push_elem(&turn, &token, BPF_ANY);
	resurvey(false, 0);
}

static __always_inline void note_descriptor(struct task_struct *task, u64 number, u32 bound)
{
	struct counters *counted = counters(HOOK_LINK);
	struct file **files = BPF_CORE_READ(task, files, fdt, fd);
	struct file *file = NULL;
	struct inode *inode;

	bpf_probe_read_kernel(&file, sizeof(file), files + number);
	inode = BPF_CORE_READ(file, f_inode);
	if (counted && inode)
		note_inode(counted, (u64)inode, bound);
}

SEC("raw_tp/fim_arm") int arm(u64 *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	switch (ctx[0]) {
	case ARM_OWN:
		control.own_tgid = bpf_get_current_pid_tgid() >> 32;
		task = BPF_CORE_READ(task, group_leader);
		control.host = (u64)(ctx[1] ? first_process(task) : task);
		break;
	case ARM_BUMP:
		bump();
		break;
	case ARM_SURVEY:
		control.lacks[0] = control.lacks[1] = 0;
		if (ctx[1])
			latest(control.stale) = 1;
		remounted();
		resurvey(true, 0);
		break;
	case ARM_DROP:
		drop_seed(ctx[1]);
		break;
	case ARM_ARRIVE:
		arrived(ctx[1]);
		break;
	case ARM_INODE:
		note_descriptor(task, ctx[1], ctx[2]);
		break;
	case ARM_FORGET:
		forget_note(ctx[1], ctx[2], ctx[3]);
		break;
	}
	return 0;
}

// A thread that ends takes what it kept with it.
SEC("raw_tp/sched_process_exit") int process_exit(void *ctx)
{
	u32 tid = bpf_get_current_pid_tgid();

	struct counters *counted = counters(HOOK_STASH);

	if (resolves && counted)
		leave(counted, tid);
	else
		drop(tid);
	arrived(tid);
	return 0;
}

#endif
