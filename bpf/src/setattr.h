// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// notify_change: truncate, chmod, chown and utimes.
//
//   truncate(2), ftruncate(2), O_TRUNC, chmod(2), chown(2), utimensat(2), nfsd,
//   file_remove_privs (a write strips set-id bits) -> notify_change
//
// What was before is read at its entry.

#include "attrib.h"
#include "modify.h"

// Of iattr.ia_valid (include/linux/fs.h).
#define ATTR_MODE (1 << 0)
#define ATTR_UID (1 << 1)
#define ATTR_GID (1 << 2)
#define ATTR_SIZE (1 << 3)
#define ATTR_ATIME (1 << 4)
#define ATTR_MTIME (1 << 5)
#define ATTR_KILL_SUID (1 << 11)
#define ATTR_KILL_SGID (1 << 12)
#define ATTR_FILE (1 << 13)

// setting is the operation that asked for these attributes, 0 if none did. A
// change of size sets times and strips set-id bits by itself; a write strips
// those bits as well, and then notify_change has turned ATTR_KILL_S*ID into
// ATTR_MODE (it forbids callers to set both).
static __always_inline u32 setting(u32 valid)
{
	if (valid & ATTR_SIZE)
		return OP_TRUNCATE;
	if (valid & (ATTR_UID | ATTR_GID))
		return OP_CHOWN;
	if (valid & ATTR_MODE && !(valid & (ATTR_KILL_SUID | ATTR_KILL_SGID)))
		return OP_CHMOD;
	return valid & (ATTR_ATIME | ATTR_MTIME) ? OP_UTIMES : 0;
}

// file_of is the open file that is truncated, by ftruncate(2) or open(2) with O_TRUNC,
// and whose close is to be told.
static __always_inline struct file *file_of(struct iattr *attr, u32 valid)
{
	struct file *file;

	if (!(valid & ATTR_SIZE) || !(valid & ATTR_FILE))
		return NULL;
	file = fetch(attr, ia_file);
	if (!file || !(fetch(file, f_mode) & FMODE_WRITE) || nameless(file))
		return NULL;
	return file;
}

// keep_asked notes for the end what is asked for, and the open file that is truncated:
// filesystems take that out of iattr, vfat times and the size of a file that grows, overlayfs
// the file. A mode is not among it: vfat ignores one that it cannot keep.
static __always_inline void keep_asked(struct dentry *dentry, u32 op, u64 file)
{
	struct subject subject = subject_of(dentry);
	struct before *before = bpf_map_lookup_elem(&befores, &subject);

	if (!before)
		return;
	before->asked = op;
	before->file = file;
}

static __always_inline struct before *noted(struct dentry *dentry)
{
	struct subject subject = subject_of(dentry);

	return bpf_map_lookup_elem(&befores, &subject);
}

static __always_inline void before_setattr(struct call *call)
{
	struct dentry *dentry = (void *)call->arg[0];
	struct iattr *attr = (void *)call->arg[1];
	u32 valid = fetch(attr, ia_valid), op = setting(valid);
	struct counters *counted = counters(HOOK_ATTRIB);
	struct file *file;
	u64 through;

	if (!counted || !op || !note_before(counted, dentry) || (op != OP_TRUNCATE && op != OP_UTIMES))
		return;
	file = file_of(attr, valid);
	through = file ? written_through((u64)file) : 0;
	keep_asked(dentry, op, through);
	if (through)
		soil(counted, through, size_of(dentry), (u64)fetch(file, f_path.mnt));
}

// soiled_by is the mount of what was opened as file, which is to be closed.
static __always_inline u64 soiled_by(u64 file)
{
	struct dirty *dirty = bpf_map_lookup_elem(&dirties, &file);

	return dirty ? dirty->mnt : 0;
}

// written notes who truncated, for the close.
static __always_inline void written(u64 file)
{
	struct counters *counted = counters(HOOK_ATTRIB);
	struct dirty *dirty = bpf_map_lookup_elem(&dirties, &file);

	if (counted && dirty)
		note_writer(counted, dirty, NULL);
}

static __always_inline void on_setattr(struct call *call)
{
	struct iattr *attr = (void *)call->arg[1];
	struct deed deed = {.op = setting(fetch(attr, ia_valid)), .dentry = (void *)call->arg[0]};
	struct before *before = noted(deed.dentry);
	u64 file = 0;

	if (before && before->asked)
		deed.op = before->asked;
	if (!deed.op)
		return;
	if (before && deed.op == OP_TRUNCATE)
		file = before->file;
	if (file)
		deed.mnt = soiled_by(file);
	changed(HOOK_ATTRIB, &deed, call);
	if (file && !error_of(call))
		written(file);
}

SECURITY_HOOK(path_chmod, on_path_itself(path, OP_CHMOD), const struct path *path)
SECURITY_HOOK(path_chown, on_path_itself(path, OP_CHOWN), const struct path *path)
SECURITY_HOOK(path_truncate, on_path_itself(path, OP_TRUNCATE), const struct path *path)
ENTRY_HOOK(vfs_utimes, on_path_itself(path, OP_UTIMES), const struct path *path)
AROUND_HOOK(notify_change, 2, before_setattr, on_setattr)
