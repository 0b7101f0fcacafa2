// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Hard links. The state of a file is its name's; one that has several names is
// watched by all of them as soon as one is. Such files are noted when a record of one
// is drafted by its watched name (a link, a rename, any other change), and when Go
// has found one that was there before; see links/.
//
// An entry may say too much, for Go knows the names and decides, and never too
// little. It goes when the file has one name left. Of a link that another thread
// makes in that moment the entry would go as well, so the number of names is read
// once more after that:
//
//   unlink: names 2 -> 1                        link: names 1 -> 2
//           reads 1, deletes, reads again               writes the entry
//
// If the entry was written before it was deleted, the names were two before it was
// read again, and it is written again.

#ifndef FIM_INODES_H
#define FIM_INODES_H

#include "automaton.h"

// noted_at is the entry of the file whose inode lies at an address.
static __always_inline struct noted *noted_at(u64 address)
{
	struct inode *inode = (void *)address;
	struct inode_key key = key_of(inode);
	struct noted *noted = bpf_map_lookup_elem(&inodes, &key);

	if (!noted || noted->generation != BPF_CORE_READ(inode, i_generation) || is_stale(key.dev, noted->since))
		return NULL;
	return noted;
}

// note_inode notes the file whose inode lies at an address; bound: it is mounted by itself.
static __noinline int note_inode(struct counters *counted, u64 address, u32 bound)
{
	struct inode *inode = (void *)address;
	struct inode_key key = key_of(inode);
	struct noted *before = noted_at(address);
	struct noted noted = {bpf_ktime_get_boot_ns(), BPF_CORE_READ(inode, i_generation), bound || (before && before->bound)};

	latest(control.linked) = 1;
	if (bound)
		latest(control.bound) = 1;
	if (bpf_map_update_elem(&inodes, &key, &noted, BPF_ANY))
		count(counted->lost_map);
	return 0;
}

// is_noted says whether the file whose inode lies at an address was noted.
static __noinline bool is_noted(u64 address)
{
	return noted_at(address);
}

// drop_inode forgets the file unless it has several names again, or is mounted.
static __noinline int drop_inode(u64 address)
{
	struct inode *inode = (void *)address;
	struct inode_key key = key_of(inode);
	struct noted *now = noted_at(address), noted = {bpf_ktime_get_boot_ns(), BPF_CORE_READ(inode, i_generation)};

	if (now && now->bound)
		return 0;
	bpf_map_delete_elem(&inodes, &key);
	if (BPF_CORE_READ(inode, i_nlink) > 1)
		bpf_map_update_elem(&inodes, &key, &noted, BPF_ANY);
	return 0;
}

// is_file says whether inode is of no directory: those have their "..".
static __always_inline bool is_file(struct inode *inode)
{
	return (fetch(inode, i_mode) & S_IFMT) != S_IFDIR;
}

// has_names says whether inode is a file, and has more than so many names.
static __always_inline bool has_names(struct inode *inode, u32 many)
{
	return fetch(inode, i_nlink) > many && is_file(inode);
}

// eligible says whether inode may be noted: a file with more than so many names, or any where
// one is mounted by itself.
static __always_inline bool eligible(struct inode *inode, u32 many)
{
	return latest(control.linked) && inode && (latest(control.bound) ? is_file(inode) : has_names(inode, many));
}

// is_alias says whether inode is a file that may be watched by another name, or
// something that is followed.
static __always_inline bool is_alias(struct inode *inode)
{
	return (eligible(inode, 1) && is_noted((u64)inode)) || is_followed(inode);
}

// was_alias says so of one that has just lost a name.
static __always_inline bool was_alias(struct inode *inode)
{
	return (eligible(inode, 0) && is_noted((u64)inode)) || is_followed(inode);
}

// of_file is the state of a file whose name is in this one: of a file that no pattern
// names, but by another name, ALIAS.
static __always_inline u32 of_file(u32 state, struct inode *inode)
{
	return !accepts(state) && is_alias(inode) ? ALIAS : state;
}

// bereaved forgets a file that has lost a name, when only one is left, and what is
// followed when none is.
static __always_inline void bereaved(struct inode *inode)
{
	end_following(inode);
	if (eligible(inode, 0) && fetch(inode, i_nlink) == 1)
		drop_inode((u64)inode);
}

#endif
