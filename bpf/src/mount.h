// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// mount: what is mounted where. No event, but what keeps seeds true.
//
//   mount(2), of bind mounts and moves too -> path_mount
//   move_mount(2) -> its system call, whose insides differ between kernels
//   a path that leads over an automount -> finish_automount
//
// mnt_set_mountpoint, which ties a mount to its mountpoint, can be attached to and
// is inlined where it matters: it is called for propagated mounts only (5.10 to
// 7.2). So the roads in are watched, at their return. A mount that another
// namespace propagates to the host comes by them as well; whether the host's
// mounts have changed its namespace tells, not who called.

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

EXIT_HOOK(path_mount, on_mounted())
EXIT_HOOK(finish_automount, on_mounted())
#if defined(__TARGET_ARCH_x86)
EXIT_HOOK(__x64_sys_move_mount, on_mounted())
EXIT_HOOK(__ia32_sys_move_mount, on_mounted())
EXIT_HOOK(__x64_sys_pivot_root, on_mounted())
#else
EXIT_HOOK(__arm64_sys_move_mount, on_mounted())
EXIT_HOOK(__arm64_sys_pivot_root, on_mounted())
#endif
