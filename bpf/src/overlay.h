// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Overlayfs does what it is asked for with files of its layers, and each step
// passes the same hooks again. One action is one event:
//
//   contents  It keeps an open file of the layer behind each of its own, and that
//             is what is written to, by write(2) and by stores through mappings. What
//             the process opened stands in it (opened_of), so it is told as that.
//   the rest  is done with borrowed credentials: those of who mounted it, which a survey
//             of the mounts finds (creators), or a copy of them where something is
//             made. What a task does so is a part of what is told of the overlay, see
//             folded in stash.h.
//
// The upper layer has the same names below its root directory as the overlay, so
// that directory is where a climb goes on from the overlay's root (at_root).
//
// Nothing here needs the types of the module, which the kernel may load at any time
// and Linux 5.10 tells nobody. struct ovl_inode has the dentry of the upper layer behind
// the inode, the flags ahead of it, and struct ovl_fs the number of filesystems second
// (fs/overlayfs/ovl_entry.h, 5.10 to 7.2).

#ifndef FIM_OVERLAY_H
#define FIM_OVERLAY_H

#include "maps.h"

// upper_of is the dentry in the upper layer behind an inode of overlayfs; 0: none.
static __noinline u64 upper_of(u64 inode)
{
	u64 upper = 0;

	bpf_probe_read_kernel(&upper, sizeof(upper), (void *)(inode + bpf_core_type_size(struct inode)));
	return upper;
}

// upper_root is the directory of the upper layer that the overlay shows as its root.
static __always_inline u64 upper_root(struct super_block *sb)
{
	return upper_of((u64)BPF_CORE_READ(sb, s_root, d_inode));
}

// is_layered says whether an open file is one of a layer, which until 6.7 has the
// overlay's dentry.
static __always_inline bool is_layered(struct dentry *dentry, struct inode *inode)
{
	return fetch(dentry, d_sb) != fetch(inode, i_sb);
}

// behind is the dentry of the file of overlayfs that an open file may be there for, since
// 6.8; 0: for none.
static __noinline u64 behind(u64 file)
{
	struct backing_file *backing = (void *)file;
	struct dentry *dentry = BPF_CORE_READ(backing, user_path.dentry), *upper;

	if (!dentry || BPF_CORE_READ(dentry, d_sb, s_magic) != OVERLAYFS_SUPER_MAGIC)
		return 0;
	upper = (void *)upper_of((u64)BPF_CORE_READ(dentry, d_inode));
	if (upper && BPF_CORE_READ(upper, d_inode) != BPF_CORE_READ((struct file *)file, f_inode))
		return 0;
	return (u64)dentry;
}

static __always_inline bool is_backing(struct file *file)
{
	struct backing_file *backing = NULL;

	return bpf_core_field_exists(backing->user_path) && fetch(file, f_mode) & FMODE_BACKING && behind((u64)file);
}

// of_layer says whether overlayfs opened this file, on behalf of one of its own.
static __always_inline bool of_layer(struct file *file)
{
	return is_backing(file) || is_layered(fetch(file, f_path.dentry), fetch(file, f_inode));
}

// opened is what a process opened.
struct opened {
	struct dentry *dentry;
	struct vfsmount *mnt;
	struct inode *inode;
};

static __always_inline void opened_of(struct file *file, struct opened *o)
{
	struct backing_file *backing = (void *)file;

	o->dentry = fetch(file, f_path.dentry);
	o->mnt = fetch(file, f_path.mnt);
	o->inode = fetch(file, f_inode);
	if (!o->dentry || !o->inode)
		return;
	if (is_backing(file)) {
#ifndef PROBES
		backing = bpf_rdonly_cast(file, bpf_core_type_id_kernel(struct backing_file));
#endif
		o->dentry = fetch(backing, user_path.dentry);
		o->mnt = fetch(backing, user_path.mnt);
		o->inode = fetch(o->dentry, d_inode);
	} else if (is_layered(o->dentry, o->inode)) {
		o->inode = fetch(o->dentry, d_inode);
	}
}

// is_of says whether an open file, if an address is that of one, is of this inode.
static __always_inline bool is_of(u64 file, u64 inode)
{
	u64 has = 0;

	bpf_probe_read_kernel(&has, sizeof(has), (void *)(file + bpf_core_field_offset(struct file, f_inode)));
	return has == inode;
}

// written_through is the open file that is written to when a process writes to this one:
// of overlayfs's the one of the upper layer, which private_data is, or since 6.13 what
// that begins with or has second (struct ovl_file in fs/overlayfs/file.c).
static __noinline u64 written_through(u64 file)
{
	struct inode *inode = BPF_CORE_READ((struct file *)file, f_inode);
	u64 candidate = (u64)BPF_CORE_READ((struct file *)file, private_data), next[2] = {};
	u64 upper;

	if (BPF_CORE_READ(inode, i_sb, s_magic) != OVERLAYFS_SUPER_MAGIC)
		return file;
	upper = upper_of((u64)inode);
	if (!upper)
		return file;
	upper = (u64)BPF_CORE_READ((struct dentry *)upper, d_inode);
	if (is_of(candidate, upper))
		return candidate;
	bpf_probe_read_kernel(next, sizeof(next), (void *)candidate);
	if (is_of(next[0], upper))
		return next[0];
	return is_of(next[1], upper) ? next[1] : file;
}

struct ovl_fs {
	const struct cred *creator_cred;
} __attribute__((preserve_access_index));

#define OVL_FS_WORDS 64

// creator_of is whose credentials overlayfs uses in a filesystem of its own. Where the
// module's types are not known it is the first word of struct ovl_fs that leads to
// something with the filesystem's user namespace where credentials have theirs.
static __noinline u64 creator_of(u64 address)
{
	struct super_block *sb = (void *)address;
	u64 info = (u64)BPF_CORE_READ(sb, s_fs_info), ns = (u64)BPF_CORE_READ(sb, s_user_ns);
	struct ovl_fs *fs = (void *)info;
	u64 word, has;

	if (bpf_core_field_exists(fs->creator_cred))
		return (u64)BPF_CORE_READ(fs, creator_cred);
	for (int i = 0; i < OVL_FS_WORDS; i++) {
		word = has = 0;
		bpf_probe_read_kernel(&word, sizeof(word), (void *)(info + i * sizeof(word)));
		bpf_probe_read_kernel(&has, sizeof(has), (void *)(word + bpf_core_field_offset(struct cred, user_ns)));
		if (has == ns)
			return word;
	}
	return 0;
}

#endif
