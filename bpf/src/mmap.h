// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// mmap: a mapping through which the content can change unseen by any other
// operation: shared, of a file that is open for writing. One that may only be
// read counts too, since mprotect(2) can change that.
//
//   mmap(2), uselib(2) -> vm_mmap_pgoff(file, …, prot, flag)

#include "make.h"

// include/uapi/linux/mman.h and asm-generic/mman-common.h
#define MAP_TYPE 0xf
#define MAP_SHARED 1
#define MAP_SHARED_VALIDATE 3
#define PROT_ALL 7
#define GIVEN_SHARED 0x100 // in given, beside the PROT_* bits

static __always_inline void on_mmap(struct call *call)
{
	struct file *file = (void *)call->arg[0];
	u32 type = call->arg[2] & MAP_TYPE;
	struct deed deed = {.op = OP_MMAP, .flags = FLAG_GIVEN};
	struct counters *counted;
	struct vfsmount *mnt;

	if (!file || (type != MAP_SHARED && type != MAP_SHARED_VALIDATE) || !(fetch(file, f_mode) & FMODE_WRITE))
		return;
	counted = counters(HOOK_MMAP);
	if (!counted)
		return;
	deed.error = ended(counted, call);
	deed.inode = fetch(file, f_inode);
	deed.dentry = fetch(file, f_path.dentry);
	if (deed.error == NOT_TOLD || !deed.inode || !deed.dentry || nameless(file) ||
	    (fetch(deed.inode, i_mode) & S_IFMT) != S_IFREG)
		return;
	mnt = fetch(file, f_path.mnt);
	deed.mnt = (u64)mnt;
	deed.state = of_file(judge(counted, deed.dentry), deed.inode);
	if (!accepts(deed.state))
		return;
	deed.given = (call->arg[1] & PROT_ALL) | GIVEN_SHARED;
	if (own())
		count(counted->ignored);
	else
		emit(counted, &deed);
}

RESULT_HOOK(vm_mmap_pgoff, 3, on_mmap)
