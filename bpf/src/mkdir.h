// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// mkdir: a new directory.
//
//   mkdirat(2), io_uring, nfsd -> vfs_mkdir
//
// Since 6.15 vfs_mkdir returns the dentry, which may be another one than the
// argument. When it fails it has dropped the argument, which may be gone: the
// name of a refused directory is then kept from phase one.

#include "make.h"

static __noinline int keep_name(u64 name)
{
	u32 tid = bpf_get_current_pid_tgid(), slot = claim();
	struct scratch *s = scratch_at(slot);

	if (slot == NO_SLOT || !s)
		return 0;
	bpf_probe_read_kernel_str(s->data, NAME_SPACE, (void *)name);
	bpf_map_update_elem(&attempts, &tid, s->data, BPF_ANY);
	release(slot);
	return 0;
}

static __always_inline void on_path_mkdir(const struct path *dir, struct dentry *dentry)
{
	on_path(dir, dentry, OP_MKDIR);
	if (report_failed && stash_of(dentry))
		keep_name((u64)fetch(dentry, d_name.name));
}

// refused tells of a directory that was not made, whose dentry may be gone.
static __always_inline void refused(struct dentry *dentry, struct call *call)
{
	struct counters *counted = counters(HOOK_MKDIR);
	u32 slot, tid = bpf_get_current_pid_tgid();
	struct attempt *attempt = bpf_map_lookup_elem(&attempts, &tid);
	struct stash *stash = stash_of(dentry);
	struct deed deed = {.op = OP_MKDIR};
	struct scratch *s;

	if (!counted)
		return;
	deed.error = ended(counted, call);
	if (!stash)
		return;
	deed.mnt = stash->mnt;
	deed.dentry = (void *)stash->parent;
	drop(tid);
	if (deed.error == NOT_TOLD || !attempt || untold(&deed))
		return;
	deed.state = ask(deed.dentry);
	if (deed.state != DEAD && deed.state < UNATTACHED)
		deed.state = delta(deed.state, 0, (u64)attempt->name);
	if (!accepts(deed.state))
		return;
	s = draft(counted, &slot, &deed);
	if (!s)
		return;
	write_child(slot, s, &deed, attempt->name);
	send(counted, slot, s);
}

static __always_inline void on_mkdir(struct call *call)
{
	if (!call->wide || !error_of(call))
		made(HOOK_MKDIR, OP_MKDIR, (void *)(call->wide && call->result ? call->result : call->arg[0]), call);
	else
		refused((void *)call->arg[0], call);
}

SECURITY_HOOK(path_mkdir, on_path_mkdir(dir, dentry), const struct path *dir, struct dentry *dentry)
OPERATION_HOOK(vfs_mkdir, 1, on_mkdir)
