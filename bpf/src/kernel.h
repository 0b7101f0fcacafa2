// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The few kernel types that the programs read, each with only the members that
// are read. CO-RE finds the members' real offsets when an object is loaded, so
// the order and the gaps here mean nothing; the names do.

#ifndef FIM_KERNEL_H
#define FIM_KERNEL_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s64 s64;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

// From the UAPI (linux/bpf.h), which drags in headers of the build machine.
enum { BPF_MAP_TYPE_HASH = 1, BPF_MAP_TYPE_ARRAY = 2, BPF_MAP_TYPE_PERCPU_ARRAY = 6,
       BPF_MAP_TYPE_LRU_HASH = 9, BPF_MAP_TYPE_QUEUE = 22, BPF_MAP_TYPE_RINGBUF = 27 };
enum { BPF_ANY = 0, BPF_NOEXIST = 1, BPF_EXIST = 2 };
enum { EAGAIN = 11, EEXIST = 17, ESTALE = 116 };
enum { BPF_F_MMAPABLE = 1 << 10, BPF_RB_NO_WAKEUP = 1 };

// The registers at a kprobe. Their order is ABI, so these are not relocated.
// bpf_tracing.h takes the kernel's member names when it sees this macro.
#define __VMLINUX_H__
#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8;
	unsigned long ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	__u64 regs[31], sp, pc, pstate;
};
struct pt_regs {
	struct user_pt_regs user_regs;
};
#endif

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

// include/uapi/linux/magic.h
#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#define BTRFS_SUPER_MAGIC 0x9123683E
#define EXT4_SUPER_MAGIC 0xEF53 // ext2 and ext3, too
#define XFS_SUPER_MAGIC 0x58465342
#define TMPFS_MAGIC 0x01021994
#define MSDOS_SUPER_MAGIC 0x4d44 // vfat

#define S_IFMT 0170000
#define S_IFREG 0100000
#define S_IFDIR 0040000
#define RENAME_EXCHANGE 2 // include/uapi/linux/fs.h

// include/linux/fs.h; macros, so BTF cannot tell them. The same since 5.1.
#define FMODE_WRITE 0x2
#define MAY_EXEC 1
#define MAY_WRITE 2
#define MAY_READ 4
#define FMODE_CREATED 0x100000
#define FMODE_BACKING 0x3000000 // 1 << 25, or 1 << 24 from 6.14 on and in backports; the other means something else
#define O_TMPFILE 020000000 // __O_TMPFILE of include/uapi/asm-generic/fcntl.h

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct qstr {
	union {
		struct {
			u32 hash;
			u32 len;
		};
		u64 hash_len;
	};
	const unsigned char *name;
};

struct super_block {
	u32 s_dev;
	unsigned long s_magic;
	struct dentry *s_root;
	void *s_fs_info; // the filesystem's own
	struct user_namespace *s_user_ns;
};

typedef struct {
	u32 val;
} kuid_t;

typedef struct {
	u32 val;
} kgid_t;

struct posix_acl_entry {
	short e_tag;
	unsigned short e_perm;
	u32 e_id; // a union of ids
};

struct posix_acl {
	unsigned int a_count;
	struct posix_acl_entry a_entries[];
};

struct hlist_node {
	struct hlist_node *next;
};

struct hlist_head {
	struct hlist_node *first;
};

struct inode {
	u16 i_mode;
	kuid_t i_uid;
	kgid_t i_gid;
	unsigned int i_flags;
	struct posix_acl *i_acl;
	struct posix_acl *i_default_acl;
	struct super_block *i_sb;
	unsigned long i_ino;
	unsigned int i_nlink;
	s64 i_size;
	u32 i_generation;
	struct hlist_head i_dentry; // its names that are known, by d_alias
};

struct timespec64 {
	s64 tv_sec;
	long tv_nsec;
};

// The times of an inode, to 6.6, to 6.10, and since.
struct inode___whole {
	struct timespec64 i_mtime;
	struct timespec64 i_atime;
};

struct inode___hidden {
	struct timespec64 __i_mtime;
	struct timespec64 __i_atime;
};

struct inode___split {
	s64 i_mtime_sec;
	s64 i_atime_sec;
	u32 i_mtime_nsec;
	u32 i_atime_nsec;
};

struct hlist_bl_node {
	struct hlist_bl_node **pprev;
};

struct dentry {
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	struct super_block *d_sb;
	union {
		struct hlist_node d_alias;
	} d_u;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct list_head {
	struct list_head *next;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	struct list_head mnt_mounts; // on this one, by their
	struct list_head mnt_child;
	struct mnt_namespace *mnt_ns;
	int mnt_id;
};

struct mountpoint {
	struct dentry *m_dentry;
};

struct ns_common {
	unsigned int inum;
};

struct mnt_namespace {
	struct ns_common ns;
	u64 event; // another one after each change of its mounts
};

struct pid_namespace {
	struct ns_common ns;
};

struct nsproxy {
	struct mnt_namespace *mnt_ns;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	u32 f_mode;
	u32 f_flags;
	struct inode *f_inode;
	struct path f_path;
	void *private_data; // the filesystem's own
};

struct backing_file {
	struct path user_path; // 6.8+: what a process opened, where this is an open file of a layer
};

struct nameidata { // of a path that is being walked
	struct path path; // the directory it has come to
};

struct fs_struct {
	struct path root;
	struct path pwd;
};

struct cred {
	kuid_t uid;
	kgid_t gid;
	kuid_t euid;
	kgid_t egid;
	struct user_namespace *user_ns;
};

struct mm_struct {
	unsigned long arg_start;
	unsigned long arg_end;
	struct file *exe_file;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1]; // one for each namespace, the initial one's first
};

struct tty_driver {
	int major;
	int minor_start;
};

struct tty_struct {
	struct tty_driver *driver;
	int index;
};

#define PIDTYPE_SID 3 // include/linux/pid_types.h

struct signal_struct {
	struct pid *pids[PIDTYPE_SID + 1];
	struct tty_struct *tty;
};

struct kernfs_node {
	struct kernfs_node *parent;
	const char *name;
	u64 id;
};

struct kernfs_node___rcu {
	struct kernfs_node *__parent;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
};

struct css_set {
	struct cgroup_subsys_state *subsys[1]; // one for each controller
	struct cgroup *dfl_cgrp; // of version 2
};

enum cgroup_subsys_id {
	pids_cgrp_id = 1,
};

struct fdtable {
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct task_struct {
	int pid;
	int tgid;
	u64 self_exec_id; // another one for each image
	struct mm_struct *mm;
	struct pid *thread_pid;
	struct css_set *cgroups;
	struct signal_struct *signal;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct fs_struct *fs;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct nameidata *nameidata; // set while a path is walked, by open(2) until it is done
	const struct cred *cred; // what it acts with
	const struct cred *real_cred; // and what it has
	kuid_t loginuid;
	u64 start_boottime;
	char comm[16];
};

struct kiocb {
	struct file *ki_filp;
};

// bpf_rdonly_cast gives an address a type that the verifier knows.
extern void *bpf_rdonly_cast(const void *obj, u32 btf_id) __ksym __weak; // 6.2+

enum bpf_func_id {
	BPF_FUNC_get_current_task_btf = 158, // 5.11+
};

struct iattr {
	unsigned int ia_valid;
	struct file *ia_file;
};

struct renamedata {
	struct dentry *old_dentry;
	struct dentry *new_dentry;
};

struct linux_binprm {
	unsigned long p; // where the strings begin in the new memory: argc arguments, the environment
	unsigned long exec; // and end
	int argc;
	struct file *file;
	const char *filename;
	const char *interp;
};

#pragma clang attribute pop

// fetch reads a member: directly where the verifier knows the pointer's type
// (programs on trampolines), else through the probe helper. One body of code
// serves both; it costs about 15 instructions less per member on a trampoline.
#ifdef PROBES
#define fetch(p, member)                                                                           \
	({                                                                                         \
		typeof(p) of_kernel = (p); /* a member of ours in the macro would be relocated too */ \
		BPF_CORE_READ(of_kernel, member);                                                  \
	})
#else
#define fetch(p, member) ((p)->member)
#endif

// address_of is the address of what a trampoline knows to be a pointer, with which
// it lets nobody calculate until it was read anew.
static __always_inline u64 address_of(void *pointer)
{
	u64 address = 0;

	bpf_probe_read_kernel(&address, sizeof(address), &pointer);
	return address;
}

// nameless says that file was opened with O_TMPFILE: its dentry never has a
// true name, also after linkat(2) made one with a dentry of its own.
static __always_inline bool nameless(struct file *file)
{
	return fetch(file, f_flags) & O_TMPFILE;
}

// unnamed says the same of a dentry alone: d_tmpfile calls it "#<inode>" and
// leaves it out of the tree of names.
static __always_inline bool unnamed(struct dentry *dentry)
{
	char first = 0;

	if (fetch(dentry, d_hash.pprev))
		return false;
	bpf_probe_read_kernel(&first, 1, fetch(dentry, d_name.name));
	return first == '#';
}

// The address of the seqlock that every rename of a dentry takes (fs/dcache.c);
// its first member is the sequence count, odd while a rename is under way. Go
// looks it up.
const volatile u64 rename_lock = 0;

// link is what a walk reads of a dentry at each step; addresses are numbers,
// because it also lies in maps.
struct link {
	u64 parent;
	u32 hash; // of the name
	u32 length;
	u64 name;
	u64 inode;
};

#define OF_DENTRY(member) bpf_core_field_offset(struct dentry, member)
#define OF_NAME(member) (OF_DENTRY(d_name) + bpf_core_field_offset(struct qstr, member) - OF_DENTRY(d_parent))

// look reads a link: directly where the kernel lets an address be a dentry's, which
// costs least. Elsewhere one call of a helper reads the members, which the kernel has
// in a row, where each alone would take one. The conditions are known when the program
// is loaded and cost nothing.
static __always_inline void look(struct dentry *d, struct link *l)
{
	if (bpf_rdonly_cast) {
		d = bpf_rdonly_cast(d, bpf_core_type_id_kernel(struct dentry));
		l->parent = (u64)d->d_parent;
		l->hash = d->d_name.hash;
		l->length = d->d_name.len;
		l->name = (u64)d->d_name.name;
		l->inode = (u64)d->d_inode;
		return;
	}
	if (OF_NAME(hash) == 8 && OF_NAME(len) == 12 && OF_NAME(name) == 16 &&
	    OF_DENTRY(d_inode) - OF_DENTRY(d_parent) == 24) {
		bpf_probe_read_kernel(l, sizeof(*l), (void *)d + OF_DENTRY(d_parent));
		return;
	}
	l->parent = (u64)BPF_CORE_READ(d, d_parent);
	l->hash = BPF_CORE_READ(d, d_name.hash);
	l->length = BPF_CORE_READ(d, d_name.len);
	l->name = (u64)BPF_CORE_READ(d, d_name.name);
	l->inode = (u64)BPF_CORE_READ(d, d_inode);
}

static __always_inline u32 rename_seq(void)
{
	u32 seq = 1;

	bpf_probe_read_kernel(&seq, sizeof(seq), (void *)rename_lock);
	return seq;
}

// The same for mounts: the seqlock mount_lock (fs/namespace.c) is odd while any
// mount is attached or detached.
const volatile u64 mount_lock = 0;

static __always_inline u32 mount_seq(void)
{
	u32 seq = 1;

	bpf_probe_read_kernel(&seq, sizeof(seq), (void *)mount_lock);
	return seq;
}

// place is what a survey reads of a mount: where it is mounted, and its root. The
// kernel has these in a row.
struct place {
	u64 parent;
	u64 point;
	u64 root;
};

#define OF_MOUNT(member) bpf_core_field_offset(struct mount, member)

static __always_inline void locate(struct mount *m, struct place *p)
{
	if (OF_MOUNT(mnt_mountpoint) - OF_MOUNT(mnt_parent) == 8 &&
	    OF_MOUNT(mnt) + bpf_core_field_offset(struct vfsmount, mnt_root) - OF_MOUNT(mnt_parent) == 16) {
		bpf_probe_read_kernel(p, sizeof(*p), (void *)m + OF_MOUNT(mnt_parent));
		return;
	}
	p->parent = (u64)BPF_CORE_READ(m, mnt_parent);
	p->point = (u64)BPF_CORE_READ(m, mnt_mountpoint);
	p->root = (u64)BPF_CORE_READ(m, mnt.mnt_root);
}

static __always_inline struct mount *mount_of(struct vfsmount *mnt)
{
	return (void *)mnt - bpf_core_field_offset(struct mount, mnt);
}

#endif
