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
#include "mknod.h"
#include "link.h"
#include "symlink.h"
#include "setattr.h"
#include "xattr.h"
#include "chattr.h"
#include "mmap.h"
#include "exec.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

// Keep the types that no map names in the object's BTF, for bpf2go.
const struct record *unused_record __attribute__((unused));
const enum hook *unused_hook __attribute__((unused));
const enum flag *unused_flag __attribute__((unused));
const enum op *unused_op __attribute__((unused));
const enum state_flag *unused_state_flag __attribute__((unused));

#ifndef PROBES

// arm runs in Go's own thread (BPF_PROG_TEST_RUN calls it there), so it knows
// what ids that thread has in the initial namespaces, whatever namespace Go
// lives in. Arguments: what to do, and the state of a seed.
enum arm { ARM_OWN, ARM_SEED, ARM_BUMP };

SEC("raw_tp/fim_arm") int arm(u64 *ctx)
{
	u64 id = bpf_get_current_pid_tgid();

	if (ctx[0] == ARM_BUMP) {
		bump();
		return 0;
	}
	control.own_tgid = id >> 32;
	control.seed_state = ctx[1];
	control.seed_tid = ctx[0] == ARM_SEED ? (u32)id : 0;
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
		bpf_map_delete_elem(&stashes, &tid);
	return 0;
}

#endif
