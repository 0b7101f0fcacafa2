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

// What overlayfs adds to the flags of a file in a layer.
#define LAYER_FLAGS (01000000 | 0x6000000) // O_NOATIME, and FMODE_NONOTIFY of any version

// alias_of is the name of a file that has one, as an address; 0: it has none that is known.
static __always_inline u64 alias_of(struct inode *inode)
{
	struct dentry *dentry = NULL;
	u64 node;

	if (!bpf_core_field_exists(dentry->d_u.d_alias)) // later versions, where nobody asks
		return 0;
	node = (u64)BPF_CORE_READ(inode, i_dentry.first);
	return node && fetch(inode, i_nlink) == 1 ? node - bpf_core_field_offset(struct dentry, d_u.d_alias) : 0;
}

// judge_at is judge for an address, in a frame of its own: all that calls each other has 512
// bytes of stack. What is not known of the directory is climbed for.
static __noinline u32 judge_at(struct counters *counted, u64 dentry)
{
	struct tag now = {.epoch = latest(control.epoch)};
	struct link at;
	u64 dir;
	u32 state;

	look((void *)dentry, &at);
	dir = at.parent;
	if (!at.inode)
		return DEAD;
	look((void *)dir, &at);
	if (!at.inode)
		return DEAD;
	now.parent = at.parent;
	now.hash = at.hash;
	number((void *)at.inode, &now);
	state = looked(at.inode, &now);
	if (state == UNASKED) {
		count(counted->slow);
		state = ask((void *)dir);
	}
	return dir == dentry ? state : name_state(state, (void *)dentry);
}

// is_beneath says of a file that overlayfs opens in a layer whether it is one of a lower layer
// that is watched there, and makes the deed one of the file in the overlay. That leads to the
// upper layer alone; where it is watched itself, it is told as opened there.
static __always_inline bool is_beneath(struct counters *counted, struct file *file, struct deed *deed)
{
	struct opened o;

	deed->lower = address_of(deed->dentry);
	if (is_layered(deed->dentry, deed->inode)) { // to 6.7 this has the name in the overlay
		deed->lower = alias_of(deed->inode);
		deed->state = deed->lower ? judge_at(counted, deed->lower) : DEAD;
	}
	if (!accepts(deed->state))
		return false;
	opened_of(file, &o);
	if (!o.dentry || !o.inode || upper_of(address_of(o.inode)) || accepts(judge_at(counted, address_of(o.dentry))))
		return false;
	deed->dentry = o.dentry;
	deed->inode = o.inode;
	deed->mnt = (u64)o.mnt;
	deed->flags |= FLAG_BENEATH;
	return true;
}

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
	deed.mnt = (u64)mnt;
	deed.given = fetch(file, f_flags);
	deed.state = of_file(judge(counted, deed.dentry), deed.inode);
	if (of_layer(file)) {
		deed.given &= ~LAYER_FLAGS;
		if (!is_beneath(counted, file, &deed))
			return;
	} else if (!accepts(deed.state)) {
		return;
	}
	if (deed.lower ? own() : untold(&deed))
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
