// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// attrib: mode, owner, times, an extended attribute, an ACL or the flags of
// chattr(1) changed.
//
//   chmod(2), chown(2), utimensat(2), nfsd -> notify_change
//   setxattr(2), nfsd -> __vfs_setxattr_noperm;  removexattr(2) -> vfs_removexattr
//   ACLs (6.2+) -> vfs_set_acl | vfs_remove_acl; before, they are xattrs
//   FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR (5.13+) -> vfs_fileattr_set
//
// No security hook on these roads is told the mount, so the view path is absent.

#ifndef FIM_ATTRIB_H
#define FIM_ATTRIB_H

#include "make.h"

// Of iattr.ia_valid (include/linux/fs.h).
#define ATTR_MODE (1 << 0)
#define ATTR_UID (1 << 1)
#define ATTR_GID (1 << 2)
#define ATTR_SIZE (1 << 3)
#define ATTR_ATIME (1 << 4)
#define ATTR_MTIME (1 << 5)
#define ATTR_KILL_SUID (1 << 11)
#define ATTR_KILL_SGID (1 << 12)

// asked says whether somebody asked for new attributes. A change of size sets
// times and strips set-id bits by itself; a write strips those bits as well,
// and then notify_change has turned ATTR_KILL_S*ID into ATTR_MODE (it forbids
// callers to set both).
static __always_inline bool asked(u32 valid)
{
	if (valid & ATTR_SIZE)
		return false;
	if (valid & (ATTR_UID | ATTR_GID | ATTR_ATIME | ATTR_MTIME))
		return true;
	return valid & ATTR_MODE && !(valid & (ATTR_KILL_SUID | ATTR_KILL_SGID));
}

// on_attrib is every such change but notify_change's.
static __always_inline void on_attrib(u64 first, u64 second, u64 result, u32 pointer)
{
	if (committed(HOOK_ATTRIB, result, pointer))
		changed(HOOK_ATTRIB, OP_ATTRIB, (void *)first);
}

RESULT_HOOK(__vfs_setxattr_noperm, on_attrib)
RESULT_HOOK(vfs_removexattr, on_attrib)
RESULT_HOOK(vfs_set_acl, on_attrib)
RESULT_HOOK(vfs_remove_acl, on_attrib)
RESULT_HOOK(vfs_fileattr_set, on_attrib)

#endif
