// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What was moved out of the watched places, where the key `follow` is set: it goes
// on being told of, wherever it is moved on its filesystem. It is noted by inode at
// the rename, before the new name can be seen. Of a directory the state is kept that
// it had, and joined with what its names give it when a climb comes by: so all
// beneath is what it was, from the next operation on. A climb from before that wrote
// its tag in an epoch that the rename voids; see automaton.h.
//
// A note may say too much, for Go knows what matched and decides (strays/), and
// never too little: so what moves back in keeps its note. It goes with the last name,
// or when Go says that it is of no use. Of something that is renamed again in that
// moment the note must not go, and each rename makes it anew:
//
//   Go: count, if it is still the one that was meant: delete, count again
//   rename: read the count, write, read it again; if it is odd or moved: once more
//
// Nothing depends on the note yet when a rename writes it a second time.

#ifndef FIM_FOLLOW_H
#define FIM_FOLLOW_H

#include "maps.h"

const volatile u32 follow = 0;

static __always_inline bool following(void)
{
	return follow && latest(control.followed);
}

// following_trees says that a directory has been moved out.
static __always_inline bool following_trees(void)
{
	return follow && latest(control.trees);
}

static __always_inline struct inode_key key_of(struct inode *inode)
{
	struct inode_key key = {.ino = BPF_CORE_READ(inode, i_ino), .dev = BPF_CORE_READ(inode, i_sb, s_dev)};

	return key;
}

// note_of is that of the inode at an address, if it has one.
static __always_inline struct followed *note_of(u64 address)
{
	struct inode *inode = (void *)address;
	struct inode_key key = key_of(inode);
	struct followed *note = bpf_map_lookup_elem(&followed, &key);

	if (!note || note->generation != BPF_CORE_READ(inode, i_generation) || is_stale(key.dev, note->since))
		return NULL;
	return note;
}

// followed_since tells when it was noted; 0: it is not.
static __noinline u64 followed_since(u64 address)
{
	struct followed *note = note_of(address);

	return note ? note->since : 0;
}

// kept is the state that a directory was moved out with; DEAD: it was not.
static __noinline u32 kept(u64 address)
{
	struct followed *note = note_of(address);

	return note ? note->state : 0;
}

// is_tree says whether paths are told by this directory: Go must have heard of it by
// then, or knows it from before.
static __noinline bool is_tree(u64 address)
{
	struct followed *note = note_of(address);

	return note && note->state && (note->told || note->since & 1);
}

static __always_inline u64 number_of(u64 address)
{
	struct inode *inode = (void *)address;

	return BPF_CORE_READ(inode, i_ino);
}

// told_of notes that the record of the rename is on its way.
static __noinline int told_of(u64 address)
{
	struct inode *inode = (void *)address;
	struct inode_key key = key_of(inode);
	struct followed *note = note_of(address), now;

	if (!note || !note->state)
		return 0;
	now = *note;
	now.told = 1;
	bpf_map_update_elem(&followed, &key, &now, BPF_EXIST); // unless Go took it away meanwhile
	return 0;
}

static __always_inline bool is_followed(struct inode *inode)
{
	return following() && inode && followed_since((u64)inode);
}

// note_followed writes a note. Why it may do so more than once stands above.
static __noinline int note_followed(struct counters *counted, u64 address, u32 state, bool again)
{
	struct inode *inode = (void *)address;
	struct inode_key key = key_of(inode);
	struct followed note = {.state = state};
	u32 forgets;

	note.since = (bpf_ktime_get_boot_ns() & ~1ull) | again;
	note.generation = BPF_CORE_READ(inode, i_generation);
	latest(control.followed) = 1;
	if (state)
		latest(control.trees) = 1;
	for (int i = 0; i < NOTE_TRIES; i++) {
		forgets = latest(control.forgets);
		if (bpf_map_update_elem(&followed, &key, &note, BPF_ANY))
			break;
		if (!(forgets & 1) && latest(control.forgets) == forgets)
			return 0;
	}
	count(counted->lost_map);
	return 0;
}

// forget_note deletes a note that is still the one which Go was told of.
static __always_inline void forget_note(u64 ino, u32 dev, u64 since)
{
	struct inode_key key = {.ino = ino, .dev = dev};
	struct followed *note;

	count(control.forgets);
	note = bpf_map_lookup_elem(&followed, &key);
	if (note && note->since == since)
		bpf_map_delete_elem(&followed, &key);
	count(control.forgets);
}

static __noinline int drop_note(u64 address)
{
	struct inode *inode = (void *)address;
	struct inode_key key = key_of(inode);

	bpf_map_delete_elem(&followed, &key);
	return 0;
}

// end_following is for what has just lost a name.
static __always_inline void end_following(struct inode *inode)
{
	if (following() && ((fetch(inode, i_mode) & S_IFMT) == S_IFDIR || !fetch(inode, i_nlink)))
		drop_note((u64)inode);
}

#endif
