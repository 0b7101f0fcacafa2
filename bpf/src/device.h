// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What stat(2) shows of a file where the inode says otherwise (fs/btrfs/inode.c:
// btrfs_getattr, fs/overlayfs/inode.c: ovl_getattr, 5.10 to 7.2). btrfs gives each
// subvolume a device. Overlayfs has one, but for files where its layers are on several
// filesystems, which then have one each.
//
// The types of modules are known of those that were there when the programs were
// loaded, from Linux 5.11 on. What is not known by these is 0.

#ifndef FIM_DEVICE_H
#define FIM_DEVICE_H

#include "overlay.h"

struct btrfs_root {
	u32 anon_dev;
} __attribute__((preserve_access_index));

struct btrfs_inode {
	struct btrfs_root *root;
	struct inode vfs_inode;
} __attribute__((preserve_access_index));

// subvolume_dev is the device of the subvolume that an inode of btrfs is in.
static __noinline u32 subvolume_dev(u64 inode)
{
	struct btrfs_inode *b = NULL;

	if (!bpf_core_field_exists(b->vfs_inode))
		return 0;
	b = (void *)(inode - bpf_core_field_offset(struct btrfs_inode, vfs_inode));
	return BPF_CORE_READ(b, root, anon_dev);
}

struct ovl_sb { // one of the filesystems that layers are on
	u32 pseudo_dev;
} __attribute__((preserve_access_index));

struct ovl_layer {
	struct ovl_sb *fs;
} __attribute__((preserve_access_index));

struct ovl_path {
	struct ovl_layer *layer;
} __attribute__((preserve_access_index));

struct ovl_entry {
	struct ovl_path __lowerstack[1];
} __attribute__((preserve_access_index));

struct ovl_inode {
	struct inode vfs_inode;
	struct ovl_path lowerpath; // 6.0 to 6.4
	struct ovl_entry *oe; // 6.5+
} __attribute__((preserve_access_index));

struct ovl_fs___devices {
	struct ovl_sb *fs; // the upper layer's, whether there is one or not, then the others
	int xino_mode; // 0: all layers are on one filesystem; -1: numbers are the layers' own
} __attribute__((preserve_access_index));

// filesystems_of is how many filesystems the layers are on, the upper one's counted
// whether there is one or not.
static __always_inline u32 filesystems_of(u64 info)
{
	u32 many = 0;

	bpf_probe_read_kernel(&many, sizeof(many), (void *)(info + 4));
	return many;
}

// OVL_CONST_INO of the flags that lie ahead of the inode: it has the number of the file
// in the lower layer for good, also where that was copied up.
#define OVL_CONST_INO (1 << 4)

static __always_inline bool is_numbered_by_lower(u64 inode)
{
	u64 flags = 0;

	bpf_probe_read_kernel(&flags, sizeof(flags), (void *)(inode - sizeof(flags)));
	return flags & OVL_CONST_INO || !upper_of(inode);
}

// overlay_ino is the inode number of a file of overlayfs. Of a file with several names in
// the lower layer that was copied up by one of them it is the copy's.
static __noinline u64 overlay_ino(u64 address)
{
	struct inode *inode = (void *)address;
	struct dentry *upper;

	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFDIR || is_numbered_by_lower(address))
		return BPF_CORE_READ(inode, i_ino);
	upper = (void *)upper_of(address);
	return BPF_CORE_READ(upper, d_inode, i_ino);
}

// lower_dev is the device of the filesystem that the lower file is on.
static __always_inline u32 lower_dev(u64 inode)
{
	struct ovl_inode *o = (void *)(inode - bpf_core_field_offset(struct ovl_inode, vfs_inode));

	if (bpf_core_field_exists(o->oe))
		return BPF_CORE_READ(o, oe, __lowerstack[0].layer, fs, pseudo_dev);
	if (bpf_core_field_exists(o->lowerpath))
		return BPF_CORE_READ(o, lowerpath.layer, fs, pseudo_dev);
	return 0;
}

static __noinline u32 overlay_dev(u64 address)
{
	struct inode *inode = (void *)address;
	struct super_block *sb = BPF_CORE_READ(inode, i_sb);
	struct ovl_fs___devices *fs = (void *)BPF_CORE_READ(sb, s_fs_info);
	int mode;

	if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFDIR || filesystems_of((u64)fs) == 1)
		return BPF_CORE_READ(sb, s_dev);
	if (!bpf_core_field_exists(fs->xino_mode))
		return 0;
	mode = BPF_CORE_READ(fs, xino_mode);
	if (mode == 0)
		return BPF_CORE_READ(sb, s_dev);
	if (mode > 0)
		return 0; // the overlay's, unless the number was too long to be marked
	return is_numbered_by_lower(address) ? lower_dev(address) : BPF_CORE_READ(fs, fs, pseudo_dev);
}

// shown_dev is the device of an inode as stat(2) shows it, 0 where it is not known.
static __noinline u32 shown_dev(u64 address)
{
	struct inode *inode = (void *)address;
	u64 magic = BPF_CORE_READ(inode, i_sb, s_magic);

	if (magic == BTRFS_SUPER_MAGIC)
		return subvolume_dev(address);
	if (magic == OVERLAYFS_SUPER_MAGIC)
		return overlay_dev(address);
	return BPF_CORE_READ(inode, i_sb, s_dev);
}

#endif
