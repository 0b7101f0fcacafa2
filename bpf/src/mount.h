// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// mount, umount: what is mounted where, and what keeps seeds true. What came of it
// the host's mount table tells Go; these tell who did it. Who unmounts is told before
// the table can show it, and once more whether it succeeded: who was refused, since the
// mount is in use, is not who did it afterwards.
//
//   mount(2), of bind mounts and moves too -> path_mount
//   move_mount(2) -> its system call, whose insides differ between kernels
//   a path that leads over an automount -> finish_automount
//   umount2(2) -> path_umount
//   move_mount(2) takes it away from where it was -> security_move_mount
//   the last use of a filesystem ends -> generic_shutdown_super
//
// These roads are watched at their return. A mount that another namespace
// propagates to the host comes by them as well; whether the host's mounts have
// changed its namespace tells, not who called.
//
// Others can use a mount a little before it returns. Where a function can be
// watched that comes before, all that may be concerned is unknown from then on:
//
//   the roads above -> attach_recursive_mnt (to 6.16), and in it or in
//     propagate_mnt -> make_visible (from 6.17)
//   propagate_mnt -> mnt_set_mountpoint, for each mount that a peer gets
//
// All of them are static or, like the last, inlined where the mount itself is
// attached (5.10 to 7.2), so none would do alone.

#include "hook.h"
#include "survey.h"

static __always_inline void note_attached(u32 mount_id, u64 at)
{
	u32 place = mount_id & ((1 << ATTACHED_BITS) - 1);
	struct attached *a = bpf_map_lookup_elem(&attacheds, &place);

	if (!a)
		return;
	latest(a->at) = 0; // what Go reads meanwhile is of none
	latest(a->mount_id) = mount_id;
	latest(a->at) = at;
}

// tell_change sends the number of a mount and who is about to attach or detach it; or, without
// a number, that what this thread was about to detach is detached or, by the error, not.
static __always_inline void tell_change(struct counters *counted, u32 op, u32 mount_id, u16 error)
{
	u64 now = bpf_ktime_get_boot_ns();
	struct scratch *s;
	u32 slot;

	if (!is_wanted(op))
		return;
	if (op == OP_MOUNT)
		note_attached(mount_id, now);
	slot = claim();
	s = scratch_at(slot);
	if (slot == NO_SLOT || !s) {
		count(counted->lost_scratch);
		return;
	}
	__builtin_memset(&s->record, 0, sizeof(s->record));
	s->trail.start = 0;
	s->record.time = now;
	s->record.op = op;
	s->record.mount_id = mount_id;
	s->record.error = error;
	if (mount_id)
		fill_who(slot);
	else
		s->record.actor.tid = (u32)bpf_get_current_pid_tgid();
	send(counted, slot, s);
}

static __always_inline void tell_who(struct counters *counted, u32 op, u64 address)
{
	struct mount *m = (void *)address;

	tell_change(counted, op, BPF_CORE_READ(m, mnt_id), 0);
}

static __always_inline void on_mounted(void)
{
	struct counters *counted = counters(HOOK_MOUNT);

	if (!counted)
		return;
	count(counted->seen);
	mounted();
}

// on_unmounted tells what came of what on_unmount has told.
static __always_inline void on_unmounted(long result)
{
	struct counters *counted = counters(HOOK_MOUNT);

	on_mounted();
	if (counted)
		tell_change(counted, OP_UMOUNT, 0, -(int)result);
}

static __always_inline void on_attach(u64 mount, struct mount *parent, struct dentry *point)
{
	struct counters *counted = counters(HOOK_MOUNT);

	if (counted && attaching(counted, parent, point))
		tell_who(counted, OP_MOUNT, mount);
}

static __always_inline void on_attach_tree(u64 point, u64 parent, u64 mount)
{
	struct mountpoint *mp = (void *)point;

	on_attach(mount, (void *)parent, fetch(mp, m_dentry));
}

static __always_inline void on_unmount(u64 mnt)
{
	struct counters *counted = counters(HOOK_MOUNT);
	struct mount *m = mount_of((void *)mnt);

	if (counted && BPF_CORE_READ(m, mnt_ns) == host_namespace())
		tell_who(counted, OP_UMOUNT, (u64)m);
}

// on_shutdown forgets a filesystem whose last user is gone: another will have its
// device number.
static __always_inline void on_shutdown(struct super_block *sb)
{
	u64 now = bpf_ktime_get_boot_ns();
	u32 dev = fetch(sb, s_dev);

	bpf_map_delete_elem(&supers, &dev);
	if (latest(control.linked) || following())
		bpf_map_update_elem(&shutdowns, &dev, &now, BPF_ANY);
	if (fetch(sb, s_magic) == OVERLAYFS_SUPER_MAGIC)
		bump(); // no seed tells apart where the upper layers of two of them are
}

EXIT_HOOK(path_mount, on_mounted())
OUTCOME_HOOK(path_umount, 2, on_unmounted)
EXIT_HOOK(finish_automount, on_mounted())
#if defined(__TARGET_ARCH_x86)
OUTCOME_HOOK(__x64_sys_move_mount, 1, on_unmounted)
OUTCOME_HOOK(__ia32_sys_move_mount, 1, on_unmounted)
EXIT_HOOK(__x64_sys_pivot_root, on_mounted())
#else
OUTCOME_HOOK(__arm64_sys_move_mount, 1, on_unmounted)
EXIT_HOOK(__arm64_sys_pivot_root, on_mounted())
#endif

NAMED_HOOK(attach_recursive_mnt, on_attach_tree)
ENTRY_HOOK(make_visible, on_attach((u64)mnt, fetch(mnt, mnt_parent), fetch(mnt, mnt_mountpoint)), struct mount *mnt)
ENTRY_HOOK(mnt_set_mountpoint, on_attach((u64)child, mnt, fetch(mp, m_dentry)), struct mount *mnt, struct mountpoint *mp,
	   struct mount *child)
ENTRY_HOOK(path_umount, on_unmount(address_of(fetch(path, mnt))), struct path *path)
SECURITY_HOOK(move_mount, on_unmount(address_of(fetch(from_path, mnt))), const struct path *from_path,
	      const struct path *to_path)
ENTRY_HOOK(generic_shutdown_super, on_shutdown(sb), struct super_block *sb)
