// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// notify_change: a new size is a modify, other attributes are an attrib.
//
//   truncate(2), ftruncate(2), O_TRUNC, chmod(2), chown(2), utimensat(2), nfsd,
//   file_remove_privs (a write strips set-id bits) -> notify_change

#include "attrib.h"

static __always_inline void on_setattr(u64 first, u64 second, u64 result, u32 pointer)
{
	struct iattr *attr = (void *)second;
	u32 valid = fetch(attr, ia_valid);
	u32 hook = valid & ATTR_SIZE ? HOOK_MODIFY : HOOK_ATTRIB;

	if (!(valid & ATTR_SIZE) && !asked(valid))
		return;
	if (committed(hook, result, pointer))
		changed(hook, hook == HOOK_MODIFY ? OP_MODIFY : OP_ATTRIB, (void *)first);
}

RESULT_HOOK(notify_change, on_setattr)
