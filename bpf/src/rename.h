// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// rename: a name moved, and the automaton's epoch.
//
//   renameat2(2), nfsd, overlayfs -> vfs_rename -> (the filesystem did it) ->
//   d_move | d_exchange (some filesystems call them themselves)
//
// At the entry of d_move the filesystem has succeeded, and `dentry` still has
// its old name while `target` has the new one and the file that is replaced.
// Renaming one hard link over another of the same file does nothing and does
// not come here.

#include "make.h"
#include "survey.h"

static __always_inline bool is_directory(struct inode *inode)
{
	return inode && (fetch(inode, i_mode) & S_IFMT) == S_IFDIR;
}

// move_begins voids all tags if a directory changes its state by moving; where
// old and new state are equal, so are those of everything beneath. Not inlined for
// the sake of the caller's stack.
static __noinline void move_begins(struct counters *counted, u32 old, u32 new, struct dentry *from,
				   struct dentry *exchanged)
{
	struct move *move = set_out(counted); // before it looks whether a survey has passed here
	u64 first = address_of(from), second = exchanged ? address_of(exchanged) : first;
	u32 leaving = 0;

	if (old != new || old >= UNATTACHED)
		leaving |= LEAVE_BUMP;
	if (carries(first) || carries(second))
		leaving |= LEAVE_SURVEY;
	if (!move && leaving & LEAVE_SURVEY)
		count(control.asked); // its end will not be seen: the next survey is to do
	if (move && leaving & ~move->leaving & LEAVE_SURVEY)
		count(control.carrying);
	if (move) {
		move->leaving |= leaving;
		move->lifted = bit(first) | bit(second);
	}
	if (leaving & LEAVE_BUMP)
		bump();
}

static __always_inline void move_ends(void)
{
	u64 lifted = 0;
	u32 leaving = arrive(bpf_get_current_pid_tgid(), &lifted);

	if (leaving & LEAVE_SURVEY) {
		latest(control.moved) = bpf_ktime_get_boot_ns();
		count(control.moves);
		__sync_fetch_and_add(&control.carrying, -1);
	}
	resurvey(leaving & LEAVE_SURVEY, lifted);
	if (leaving & LEAVE_BUMP)
		bump();
}

// leaves notes what may be moved out of the watched places, or was and is moved again;
// where the new name seems to be watched as well, Go alone knows. Not inlined for the
// sake of the caller's stack.
static __noinline int leaves(struct counters *counted, u64 inode, bool directory, u32 old)
{
	bool again = following() && followed_since(inode);

	if (directory) {
		if (again)
			old = join(old, kept(inode));
		if (old != DEAD)
			note_followed(counted, inode, old >= UNATTACHED ? UNKNOWN : old, again);
	} else if (again || accepts(old)) {
		note_followed(counted, inode, DEAD, again);
	}
	return 0;
}

static __always_inline bool moves_directory(struct dentry *from, struct dentry *to, bool exchange)
{
	return is_directory(fetch(from, d_inode)) || (exchange && is_directory(fetch(to, d_inode)));
}

static __always_inline void emit_rename(struct counters *counted, struct deed *deed, struct dentry *from,
					struct inode *replaced)
{
	struct scratch *s;
	u32 slot;

	s = draft(counted, &slot, deed);
	if (!s)
		return;
	if (replaced) {
		s->record.old_ino = fetch(replaced, i_ino);
		s->record.before.nlink = fetch(replaced, i_nlink); // that it has left
	}
	write_path(slot, s, deed->dentry, deed->mnt, &s->record.path);
	write_path(slot, s, from, deed->mnt, &s->record.old);
	write_places(slot, s, deed);
	send(counted, slot, s);
}

// matters says whether a rename is told: of what may match itself, and of a
// directory below which something may, since that comes or goes with it.
static __always_inline bool matters(u32 old, u32 new, bool directory)
{
	return directory ? old != DEAD || new != DEAD : accepts(old) || accepts(new);
}

// tells says whether the rename of inode is told, and fills the state if that is so
// for another name of the file alone.
static __always_inline bool tells(struct deed *deed, struct inode *inode, u32 old, u32 new)
{
	if (matters(old, new, is_directory(inode)))
		return true;
	if (!is_alias(inode))
		return false;
	deed->state = ALIAS;
	return true;
}

// displaces says whether the file at the new name matters where the names do not: as
// one that moves too, or as one that was followed and ends.
static __always_inline bool displaces(struct inode *replaced, bool exchange)
{
	return exchange ? is_alias(replaced) : is_followed(replaced);
}

// ends says whether what is replaced was followed.
static __always_inline bool ends(struct deed *deed, struct inode *replaced)
{
	if (!is_followed(replaced))
		return false;
	deed->flags |= FLAG_ENDS;
	return true;
}

// moves fills the state of a deed by both of its sides. It ends what phase one
// kept.
static __always_inline void moves(struct deed *deed, struct dentry *from, u32 old, u32 new)
{
	struct stash stash = {};

	take(from, &stash);
	deed->mnt = stash.mnt;
	deed->given = stash.given;
	deed->flags = stash.dentry ? FLAG_GIVEN : 0;
	deed->state = old == UNKNOWN || new == UNKNOWN ? UNKNOWN : old;
}

// tell_move tells of a move of one file, or of both that change places.
static __always_inline void tell_move(struct counters *counted, struct deed *deed, struct dentry *from,
				      struct inode *replaced, u32 old, u32 new, bool exchange)
{
	struct dentry *to = deed->dentry;
	u32 state = deed->state;
	bool told, end;

	if (untold(deed)) {
		count(counted->ignored);
		return;
	}
	end = !exchange && ends(deed, replaced);
	told = tells(deed, deed->inode, old, new);
	if (end && !told)
		deed->state = ALIAS;
	if (end || told)
		emit_rename(counted, deed, from, exchange ? NULL : replaced);
	deed->state = state;
	if (!exchange || !tells(deed, replaced, old, new))
		return;
	deed->dentry = from;
	deed->inode = replaced;
	emit_rename(counted, deed, to, NULL);
}

// finds says that no name moves: vfat has found a file by its short name, or by the long
// one again, and gives its dentry the name that was looked for (vfat_lookup). That one
// is in no list of names yet.
static __always_inline bool finds(struct dentry *to)
{
	struct super_block *sb = fetch(to, d_sb);

	return fetch(sb, s_magic) == MSDOS_SUPER_MAGIC && !fetch(to, d_hash.pprev);
}

static __always_inline void on_move(struct dentry *from, struct dentry *to, bool exchange)
{
	struct counters *counted = counters(HOOK_RENAME);
	struct inode *replaced = fetch(to, d_inode);
	struct deed deed = {.op = OP_RENAME, .dentry = to, .inode = fetch(from, d_inode)};
	bool dead;
	u64 key = (u64)replaced;
	u32 old, new;

	if (!counted || finds(to))
		return;
	count(counted->seen);
	old = dir_state(counted, from);
	new = fetch(from, d_parent) == fetch(to, d_parent) ? old : dir_state(counted, to);
	dead = old == DEAD && new == DEAD;
	if (!exchange && is_directory(replaced))
		bpf_map_delete_elem(&tags, &key);
	old = name_state(old, from);
	new = name_state(new, to);
	if (follow && (!dead || following()) && deed.inode) {
		leaves(counted, (u64)deed.inode, is_directory(deed.inode), old);
		if (exchange && replaced)
			leaves(counted, (u64)replaced, is_directory(replaced), new);
	}
	if (moves_directory(from, to, exchange))
		move_begins(counted, old, new, from, exchange ? to : NULL);
	if (dead && !is_alias(deed.inode) && !displaces(replaced, exchange)) {
		moot(from);
		return;
	}
	moves(&deed, from, old, new);
	tell_move(counted, &deed, from, replaced, old, new, exchange);
	if (following_trees()) {
		told_of((u64)fetch(from, d_inode));
		if (exchange)
			told_of(key);
	}
	if (!exchange && replaced)
		bereaved(replaced);
}

// on_path_rename keeps the mount if either side may be watched.
static __always_inline void on_path_rename(const struct path *old_dir, struct dentry *old_dentry,
					   const struct path *new_dir, struct dentry *new_dentry, u32 given)
{
	struct counters *counted = counters(HOOK_STASH);
	struct dentry *from = fetch(old_dir, dentry), *to = fetch(new_dir, dentry);
	struct vfsmount *mnt = fetch(old_dir, mnt);
	struct stash stash = {.op = OP_RENAME, .given = given};

	if (!counted)
		return;
	count(counted->seen);
	if (state_of(counted, from) == DEAD && (from == to || state_of(counted, to) == DEAD) &&
	    !is_alias(fetch(old_dentry, d_inode)) && !displaces(fetch(new_dentry, d_inode), given & RENAME_EXCHANGE))
		return;
	stash.dentry = (u64)old_dentry;
	stash.parent = (u64)from;
	stash.mnt = (u64)mnt;
	stash.ino = fetch(old_dentry, d_name.hash);
	keep(counted, &stash);
}

// was_refused tells of a rename that failed; of one that would have exchanged two files,
// by the one of them that matters.
static __always_inline void was_refused(struct counters *counted, struct call *call, struct dentry *from,
					struct dentry *to)
{
	struct deed deed = {.op = OP_RENAME, .dentry = to, .inode = fetch(from, d_inode)};
	struct inode *other = fetch(to, d_inode);
	u32 old = dir_state(counted, from), new = dir_state(counted, to);

	deed.error = ended(counted, call);
	if (old == DEAD && new == DEAD && !is_alias(deed.inode) && !is_alias(other)) {
		moot(from);
		return;
	}
	old = name_state(old, from);
	new = name_state(new, to);
	moves(&deed, from, old, new);
	if (deed.error == NOT_TOLD)
		return;
	if (!tells(&deed, deed.inode, old, new)) {
		if (!(deed.given & RENAME_EXCHANGE) || !tells(&deed, other, old, new))
			return;
		deed.dentry = from;
		deed.inode = other;
		from = to;
	}
	if (untold(&deed))
		count(counted->ignored);
	else
		emit_rename(counted, &deed, from, NULL);
}

// on_renamed is the end of a rename. One that succeeded took the stash away when
// the name moved; of two names of one file none moves.
static __always_inline void on_renamed(struct call *call)
{
	struct counters *counted = counters(HOOK_RENAME);
	struct renamedata *data = (void *)call->arg[0];
	struct dentry *from = fetch(data, old_dentry);
	u32 tid = bpf_get_current_pid_tgid();
	struct stash *stash;

	if (!counted)
		return;
	if (error_of(call)) {
		was_refused(counted, call, from, fetch(data, new_dentry));
		return;
	}
	stash = stash_of(from);
	if (!stash)
		return;
	if (stash->parent != (u64)fetch(from, d_parent) || stash->ino != fetch(from, d_name.hash))
		count(counted->lost_outcome);
	drop(tid);
}

// on_twin voids the tags a second time. A probe is skipped on a CPU where a task
// was preempted in a map call of bpf(2), a program on a trampoline where one was
// preempted in the program itself: where both hang on a function, no user without
// privileges keeps the tags of a moved directory alive.
static __always_inline void on_twin(struct dentry *from, struct dentry *to, bool exchange)
{
	struct counters *counted = counters(HOOK_RENAME);
	u32 old, new;

	if (!counted || !moves_directory(from, to, exchange))
		return;
	old = name_state(dir_state(counted, from), from);
	new = name_state(dir_state(counted, to), to);
	move_begins(counted, old, new, from, exchange ? to : NULL);
}

SECURITY_HOOK(path_rename, on_path_rename(old_dir, old_dentry, new_dir, new_dentry, flags), const struct path *old_dir,
	      struct dentry *old_dentry, const struct path *new_dir, struct dentry *new_dentry, unsigned int flags)
OPERATION_HOOK(vfs_rename, 1, on_renamed)
ENTRY_HOOK(d_move, on_move(dentry, target, false), struct dentry *dentry, struct dentry *target)
ENTRY_HOOK(d_exchange, on_move(dentry1, dentry2, true), struct dentry *dentry1, struct dentry *dentry2)
EXIT_HOOK(d_move, move_ends())
EXIT_HOOK(d_exchange, move_ends())
TWIN_HOOK(d_move, on_twin(dentry, target, false), move_ends(), struct dentry *dentry, struct dentry *target)
TWIN_HOOK(d_exchange, on_twin(dentry1, dentry2, true), move_ends(), struct dentry *dentry1,
	  struct dentry *dentry2)
