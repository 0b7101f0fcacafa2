// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// setxattr, removexattr, setacl.
//
//   setxattr(2), nfsd -> vfs_setxattr -> (permission) -> __vfs_setxattr_noperm
//   removexattr(2) -> vfs_removexattr
//   ACLs since 6.2 -> vfs_set_acl | vfs_remove_acl; before, they are extended
//   attributes with the entries as value
//
// No security hook on these roads is told the mount, so the view path is absent.
// vfs_setxattr is watched for what it refuses only.

#include "attrib.h"

#define WORD(a, b, c, d, e, f, g, h)                                                               \
	((u64)(a) | (u64)(b) << 8 | (u64)(c) << 16 | (u64)(d) << 24 | (u64)(e) << 32 | (u64)(f) << 40 |  \
	 (u64)(g) << 48 | (u64)(h) << 56)

// is_acl_name says whether an extended attribute is an ACL.
static __always_inline bool is_acl_name(u64 name)
{
	u64 begin[2] = {};

	bpf_probe_read_kernel_str(begin, sizeof(begin), (void *)name);
	return begin[0] == WORD('s', 'y', 's', 't', 'e', 'm', '.', 'p') &&
	       begin[1] == WORD('o', 's', 'i', 'x', '_', 'a', 'c', '\0');
}

// is_default tells the default ACL of a directory by its name, which ends in
// "default" where the other's ends in "access".
static __always_inline bool is_default(u64 name)
{
	char first = 0;

	bpf_probe_read_kernel(&first, 1, (void *)(name + sizeof("system.posix_acl_") - 1));
	return first == 'd';
}

// An ACL that the kernel has not read yet is an odd address, or ~0
// (fs/posix_acl.c, is_uncached_acl).
static __always_inline bool is_cached(struct posix_acl *acl)
{
	return !((u64)acl & 1);
}

// read_acl copies entries that lie at an address.
static __always_inline void read_acl(struct acl *to, u64 entries, u32 many)
{
	u32 bytes = (many > MAX_ACL ? MAX_ACL : many) * sizeof(struct acl_entry);

	to->cut = many > MAX_ACL || (bytes && bpf_probe_read_kernel(to->entries, bytes & 1023, (void *)entries));
	to->bytes = bytes;
}

static __always_inline void read_kernel_acl(struct acl *to, struct posix_acl *acl)
{
	read_acl(to, (u64)acl + bpf_core_field_offset(struct posix_acl, a_entries), acl ? BPF_CORE_READ(acl, a_count) : 0);
}

// keep_acl keeps the ACL that is about to be replaced, if the kernel knows it.
static __noinline int keep_acl(u64 address, u64 dentry, u64 name)
{
	struct inode *inode = (void *)address;
	struct subject subject = {dentry, (u32)bpf_get_current_pid_tgid()};
	struct posix_acl *acl;
	struct scratch *s;
	u32 slot;

	if (!bpf_core_field_exists(inode->i_acl))
		return 0;
	acl = is_default(name) ? BPF_CORE_READ(inode, i_default_acl) : BPF_CORE_READ(inode, i_acl);
	if (!is_cached(acl))
		return 0;
	slot = claim();
	s = scratch_at(slot);
	if (slot == NO_SLOT || !s)
		return 0;
	read_kernel_acl(&s->acl, acl);
	bpf_map_update_elem(&old_acls, &subject, &s->acl, BPF_ANY);
	release(slot);
	return 0;
}

static __always_inline void before_acl(struct call *call)
{
	struct counters *counted = counters(HOOK_ATTRIB);
	struct dentry *dentry = (void *)call->arg[0];

	if (counted && note_before(counted, dentry))
		keep_acl((u64)fetch(dentry, d_inode), (u64)dentry, call->arg[1]);
}

static __always_inline void before_xattr(struct call *call)
{
	struct counters *counted = counters(HOOK_ATTRIB);
	struct dentry *dentry = (void *)call->arg[0];

	if (!counted || !note_before(counted, dentry))
		return;
	if (is_acl_name(call->arg[1]))
		keep_acl((u64)fetch(dentry, d_inode), (u64)dentry, call->arg[1]);
}

// write_acl adds an ACL to the record's data.
static __always_inline u32 write_acl(struct scratch *s, struct acl *acl)
{
	u32 at = s->trail.start, bytes = acl->bytes;

	if (acl->cut || at > DATA_SIZE - MAX_PATH) {
		s->record.flags |= FLAG_TEXT_CUT;
		return 0;
	}
	if (bpf_probe_read_kernel(&s->data[at & (DATA_SIZE - 1)], bytes & 1023, acl->entries))
		return 0;
	s->trail.start = at + bytes;
	return bytes;
}

// write_acls adds the ACL that is set now, in the scratch, and the one before.
static __always_inline void write_acls(struct scratch *s, struct dentry *dentry)
{
	struct subject subject = subject_of(dentry);
	struct acl *old;

	s->record.flags |= FLAG_ACL;
	s->record.acl_bytes = write_acl(s, &s->acl);
	old = bpf_map_lookup_elem(&old_acls, &subject);
	if (!old)
		return;
	s->record.flags |= FLAG_OLD_ACL;
	s->record.old_acl_bytes = write_acl(s, old);
	bpf_map_delete_elem(&old_acls, &subject);
}

#define ACL_HEADER 4 // include/uapi/linux/posix_acl_xattr.h: a version

static __always_inline void on_setxattr(struct call *call)
{
	struct counters *counted = counters(HOOK_ATTRIB);
	struct deed deed = {.op = OP_SETXATTR, .dentry = (void *)call->arg[0], .given = call->arg[4], .flags = FLAG_GIVEN};
	bool acl = call->arg[2] != call->arg[1] && is_acl_name(call->arg[1]);
	struct scratch *s;
	u32 slot;

	if (acl)
		deed.op = OP_SETACL;
	if (!counted)
		return;
	s = begun(counted, &slot, &deed, call);
	if (!s)
		return;
	write_paths(slot, s, &deed);
	write_text(s, call->arg[1]);
	if (acl && call->arg[3] >= ACL_HEADER) {
		read_acl(&s->acl, call->arg[2] + ACL_HEADER, (call->arg[3] - ACL_HEADER) / sizeof(struct acl_entry));
		write_acls(s, deed.dentry);
	}
	send(counted, slot, s);
}

// on_set tells of what was set. What failed vfs_setxattr tells, which also sees
// what is refused earlier; it finds what was before where this has kept it.
static __always_inline void on_set(struct call *call)
{
	if (!error_of(call))
		on_setxattr(call);
	else if (!report_failed)
		forget_before((void *)call->arg[0]);
}

static __always_inline void on_refused_xattr(struct call *call)
{
	if (error_of(call))
		on_setxattr(call);
}

static __always_inline void on_removexattr(struct call *call)
{
	struct counters *counted = counters(HOOK_ATTRIB);
	struct deed deed = {.op = OP_REMOVEXATTR, .dentry = (void *)call->arg[0]};
	bool acl = is_acl_name(call->arg[1]);
	struct scratch *s;
	u32 slot;

	if (acl)
		deed.op = OP_SETACL;
	if (!counted)
		return;
	s = begun(counted, &slot, &deed, call);
	if (!s)
		return;
	write_paths(slot, s, &deed);
	write_text(s, call->arg[1]);
	if (acl) {
		s->acl.bytes = s->acl.cut = 0;
		write_acls(s, deed.dentry);
	}
	send(counted, slot, s);
}

static __always_inline void on_setacl(struct call *call)
{
	struct counters *counted = counters(HOOK_ATTRIB);
	struct deed deed = {.op = OP_SETACL, .dentry = (void *)call->arg[0]};
	struct scratch *s;
	u32 slot;

	if (!counted)
		return;
	s = begun(counted, &slot, &deed, call);
	if (!s)
		return;
	write_paths(slot, s, &deed);
	write_text(s, call->arg[1]);
	read_kernel_acl(&s->acl, (void *)call->arg[2]);
	write_acls(s, deed.dentry);
	send(counted, slot, s);
}

// The verifier lets no program on a trampoline read a parameter of type
// `const void *` (kernel/bpf/btf.c, btf_ctx_access), so these do not where Go says that
// the value is at the position of the name: there it is never an ACL.
AROUND_HOOK(__vfs_setxattr_noperm, 5, before_xattr, on_set)
RESULT_HOOK(vfs_setxattr, 5, on_refused_xattr)
AROUND_HOOK(vfs_removexattr, 2, before_xattr, on_removexattr)
AROUND_HOOK(vfs_set_acl, 3, before_acl, on_setacl)
AROUND_HOOK(vfs_remove_acl, 2, before_acl, on_removexattr)
