// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// mount: what is mounted where. No event, but what keeps seeds true.
//
//   mount(2), of bind mounts and moves too -> path_mount
//   move_mount(2) -> its system call, whose insides differ between kernels
//   a path that leads over an automount -> finish_automount
//   umount2(2) -> path_umount
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

static __always_inline void on_mounted(void)
{
	struct counters *counted = counters(HOOK_MOUNT);

	if (!counted)
		return;
	count(counted->seen);
	mounted();
}

static __always_inline void on_attach(struct mount *parent, struct dentry *point)
{
	struct counters *counted = counters(HOOK_MOUNT);

	if (counted)
		attaching(counted, parent, point);
}

static __always_inline void on_attach_tree(u64 point, u64 parent)
{
	struct mountpoint *mp = (void *)point;

	on_attach((void *)parent, fetch(mp, m_dentry));
}

EXIT_HOOK(path_mount, on_mounted())
EXIT_HOOK(path_umount, on_mounted())
EXIT_HOOK(finish_automount, on_mounted())
#if defined(__TARGET_ARCH_x86)
EXIT_HOOK(__x64_sys_move_mount, on_mounted())
EXIT_HOOK(__ia32_sys_move_mount, on_mounted())
EXIT_HOOK(__x64_sys_pivot_root, on_mounted())
#else
EXIT_HOOK(__arm64_sys_move_mount, on_mounted())
EXIT_HOOK(__arm64_sys_pivot_root, on_mounted())
#endif

NAMED_HOOK(attach_recursive_mnt, on_attach_tree)
ENTRY_HOOK(make_visible, on_attach(fetch(mnt, mnt_parent), fetch(mnt, mnt_mountpoint)), struct mount *mnt)
ENTRY_HOOK(mnt_set_mountpoint, on_attach(mnt, fetch(mp, m_dentry)), struct mount *mnt, struct mountpoint *mp)
