// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// mkdir of a subvolume of btrfs, which a snapshot is too: a directory appears, and
// whatever it holds with it.
//
//   ioctl(BTRFS_IOC_SUBVOL_CREATE) -> create_subvol -> d_instantiate (to 5.19)
//                                                    | d_instantiate_new
//   ioctl(BTRFS_IOC_SNAP_CREATE) -> create_snapshot -> d_instantiate
//
// btrfs does this by itself, without vfs_mkdir and without a security hook that has
// the mount, so there is no view path. It gives the dentry its inode when the subvolume
// is there. So does every filesystem with every file, and the kernel with every
// socket; hence these programs hang there only while a btrfs may hold something
// watched. What takes a subvolume away is d_delete: see unlink.h.

#include "make.h"

static __always_inline void on_instantiate(struct dentry *dentry, struct inode *inode)
{
	struct deed deed = {.op = OP_MKDIR, .dentry = dentry, .inode = inode, .tree = true};
	struct counters *counted;

	if (!is_subvolume(inode) || fetch(dentry, d_parent) == dentry) // of what is being mounted
		return;
	counted = counters(HOOK_MKDIR);
	if (!counted)
		return;
	count(counted->seen);
	if (concerns(counted, &deed, dir_state(counted, dentry)))
		emit(counted, &deed);
}

ENTRY_HOOK(d_instantiate, on_instantiate(dentry, inode), struct dentry *dentry, struct inode *inode)
ENTRY_HOOK(d_instantiate_new, on_instantiate(dentry, inode), struct dentry *dentry, struct inode *inode)
