// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Is a directory watched? The patterns are an automaton over names; each
// directory has the state that the names from the root lead to, joined with the
// states of the places where host mounts show it. States are cached per
// directory (tags) and recomputed by climbing to a directory whose state is
// known and walking the names down again.
//
// Three answers: DEAD (nothing at or beneath can match), a live state, and
// UNKNOWN, which counts as live and is never cached: Go then decides.
//
// Why a climb is sound while others rename. A tag must never outlive the chain
// of names it was computed from:
//
//   1. read the epoch, then rename_lock's sequence;
//   2. climb, descend, read the directory's own parent and name;
//   3. read the sequence again: if it moved or was odd, a rename was under way
//      and the names may be of two moments: start over;
//   4. write the tag with the epoch of step 1.
//
// A rename bumps the epoch before it takes rename_lock and again after it let
// go. A climb that read the epoch before the first bump writes a tag that is
// void already. One that read it between the bumps and saw the old names writes
// a tag that the second bump voids; until then the rename has not returned to
// anyone, so either answer is true. One bump would not do: before the rename it
// leaves the second kind valid for good, after it a thread can already walk the
// new names and hit the old tags.

#ifndef FIM_AUTOMATON_H
#define FIM_AUTOMATON_H

#include "follow.h"
#include "overlay.h"

#define DEAD 0
#define UNKNOWN (~0u)        // could not be told
#define UNATTACHED (~0u - 1) // no chain of names, on a filesystem with watched directories
#define ALIAS (~0u - 2)      // not by this name, but the file has one that may be watched

// The verifier follows every turn of a loop, in each program anew, and loading
// takes as long as that. So the body of a loop is a global function, which it
// checks once, and MAX_DEPTH steps are three loops, each inside a function that
// the next calls, around one of STRIDE steps: a call costs as much as half a step.
// The compiler must not unroll them (-fno-unroll-loops): the verifier follows each
// chain of calls to measure the stack, and 16 * 8 * 8 places of calls are 1,024.
#define STRIDE 2
#define TURNS 16
#define ROUNDS 8
#define LAPS (MAX_DEPTH / (STRIDE * TURNS * ROUNDS))

// REPEAT makes a function that calls another until that has no more to do, at
// most so many times, and says whether there is more.
#define REPEAT(name, other, times)                                                                 \
	__noinline int name(u32 slot)                                                              \
	{                                                                                          \
		for (int i = 0; i < times; i++)                                                    \
			if (!other(slot))                                                          \
				return 0;                                                          \
		return 1;                                                                          \
	}

#define TRIES 5
#define SPINS 32 // times SPINS

enum end {
	END_NONE,     // still walking
	END_COMPLETE, // state holds the start of the way down
	END_UNKNOWN,
	END_UNATTACHED,
	END_ROOT, // of paths: reached the filesystem's root
	END_CUT,
};

#define UNASKED (~0u - 3) // neither `tags` nor `deads` have an entry that holds

// number fills the part of `now` that lies in the inode.
static __always_inline void number(struct inode *inode, struct tag *now)
{
	now->ino = BPF_CORE_READ(inode, i_ino);
	now->generation = BPF_CORE_READ(inode, i_generation);
}

static __always_inline bool is_dead(u64 address, struct tag *now)
{
	struct dead *dead = dead_at(now->hash);

	return dead && dead->inode == address && dead->parent == now->parent && dead->epoch == now->epoch &&
	       latest(dead->mark) == mark(now);
}

static __always_inline u32 tagged(u64 address, struct tag *now)
{
	struct tag *tag = bpf_map_lookup_elem(&tags, &address);

	if (tag && tag->epoch == now->epoch && tag->parent == now->parent && tag->hash == now->hash &&
	    tag->ino == now->ino && tag->generation == now->generation)
		return tag->state;
	return UNASKED;
}

// passed is what is known of a directory that a climb passes. After a bump
// nearly no entry holds; those of another epoch are told without reading inodes.
static __always_inline u32 passed(struct inode *inode, struct tag *now)
{
	u64 address = (u64)inode;
	struct dead *dead = dead_at(now->hash);
	struct tag *tag;

	if (dead && dead->inode == address && dead->parent == now->parent && dead->epoch == now->epoch) {
		number(inode, now);
		if (latest(dead->mark) == mark(now))
			return DEAD;
	}
	tag = bpf_map_lookup_elem(&tags, &address);
	if (!tag || tag->epoch != now->epoch || tag->parent != now->parent)
		return UNASKED;
	number(inode, now);
	return tagged(address, now);
}

// looked is what is known of a directory, `now` being all that tells it.
static __always_inline u32 looked(u64 address, struct tag *now)
{
	return is_dead(address, now) ? DEAD : tagged(address, now);
}

// remember writes a tag, or the mark of a dead directory.
static __always_inline void remember(u64 address, struct tag *tag)
{
	struct dead *dead;

	if (tag->state != DEAD) {
		bpf_map_update_elem(&tags, &address, tag, BPF_ANY);
		return;
	}
	dead = dead_at(tag->hash);
	if (!dead)
		return;
	dead->inode = address;
	dead->parent = tag->parent;
	dead->epoch = tag->epoch;
	latest(dead->mark) = mark(tag);
}

// delta is the state that a name leads to from state: the one at an address, or if
// that is 0 the one of dentry, which is read only if it matters.
static __noinline u32 delta(u32 state, u64 dentry, u64 name)
{
	struct edge edge = {.from = state};
	struct state *from;
	u32 *to;

	from = bpf_map_lookup_elem(&states, &state);
	if (!from)
		return UNKNOWN;
	if (!(from->flags & STATE_NAMED))
		return from->next;
	if (!name)
		name = (u64)BPF_CORE_READ((struct dentry *)dentry, d_name.name);
	bpf_probe_read_kernel_str(edge.name, EDGE_NAME, (void *)name);
	to = bpf_map_lookup_elem(&edges, &edge);
	return to ? *to : from->next;
}

// join is the union of two states, as Go worked it out.
static __always_inline u32 join(u32 a, u32 b)
{
	struct pair pair = {a < b ? a : b, a < b ? b : a};
	u32 *to;

	if (a == b || pair.a == DEAD)
		return pair.b;
	to = bpf_map_lookup_elem(&joins, &pair);
	return to ? *to : UNKNOWN;
}

// seed_of is the seed of an inode, if there is one.
static __always_inline struct seed *seed_of(u64 address)
{
	struct seed *seed = bpf_map_lookup_elem(&seeds, &address);
	struct inode *inode = (void *)address;

	if (!seed || seed->ino != BPF_CORE_READ(inode, i_ino) || seed->dev != BPF_CORE_READ(inode, i_sb, s_dev) ||
	    seed->generation != BPF_CORE_READ(inode, i_generation))
		return NULL;
	return seed;
}

// fallen is the state of a seed that the last survey did not meet: the one that it had
// last, if the host shows its filesystem nowhere any more.
static __always_inline u32 fallen(struct seed *seed)
{
	u32 dev = seed->dev;
	struct super *super = bpf_map_lookup_elem(&supers, &dev);

	if (!super || !is_fallen(super))
		return DEAD;
	return seed->sights[seed->sights[0].survey < seed->sights[1].survey].state;
}

// seeded is the state that the host's mounts give a directory: of the last survey,
// whose place in the seed is written again only two surveys later. Not inlined for
// the sake of its callers' stacks.
static __noinline u32 seeded(u64 inode)
{
	u32 survey = latest(control.survey), found, state;
	struct seed *seed = seed_of(inode);
	struct sight *sight;

	if (!seed)
		return DEAD;
	sight = &seed->sights[survey & 1];
	found = latest(sight->survey);
	state = latest(sight->state);
	if (found != survey)
		return latest(control.survey) == survey ? fallen(seed) : UNKNOWN;
	return latest(sight->survey) == survey ? state : UNKNOWN;
}

// adds says that a directory may have more than its names give it.
static __always_inline bool adds(void)
{
	return control.binds || following_trees();
}

// joined adds that to the state which its names give it.
static __always_inline u32 joined(u32 state, u64 dentry)
{
	u64 inode = (u64)BPF_CORE_READ((struct dentry *)dentry, d_inode);

	state = join(state, seeded(inode));
	return following_trees() ? join(state, kept(inode)) : state;
}

__noinline u32 spin_for_seq(u32 seq)
{
	for (int i = 0; i < SPINS && seq & 1; i++)
		seq = rename_seq();
	return seq;
}

// settled_seq is the sequence once no rename is under way, or an odd one after
// waiting as long as a rename may take whose virtual CPU was descheduled.
__noinline u32 settled_seq(u32 seq)
{
	for (int i = 0; i < SPINS && seq & 1; i++)
		seq = spin_for_seq(seq);
	return seq;
}

static __always_inline void end_walk(struct walk *w, u32 end, u32 state)
{
	w->end = end;
	w->state = state;
}

// What the names of the host's root directory lead from.
const volatile u32 start = 0;

// Whether the root directory of each overlay filesystem counts as the host's: there
// containers have theirs.
const volatile u32 containers = 0;

// rooted adds what an overlay's root directory is beside what its upper layer makes it.
static __always_inline u32 rooted(u32 state, u64 root)
{
	state = joined(state, root);
	return containers ? join(state, start) : state;
}

// In the steps of a walk, the root directory of an overlay: it has no name, and what is
// above it is the directory of the upper layer.
#define OVERLAID 1

// go_below goes on with the directory of the upper layer, if there is one.
static __always_inline void go_below(struct walk *w, struct super_block *sb)
{
	u64 upper = upper_root(sb);

	if (!upper)
		return end_walk(w, END_COMPLETE, rooted(DEAD, w->at));
	if (w->steps >= MAX_DEPTH)
		return end_walk(w, END_UNKNOWN, UNKNOWN);
	w->step[w->steps & (MAX_DEPTH - 1)] = w->at | OVERLAID;
	w->steps++;
	w->at = upper;
}

// at_root ends a walk. A root that no host mount shows, or only where nothing is
// watched, has no seed; the survey of the mounts has seen them all.
static __always_inline void at_root(struct walk *w, struct dentry *root, u64 inode)
{
	struct super_block *sb = BPF_CORE_READ(root, d_sb);
	struct super *super;
	u32 dev;

	if (BPF_CORE_READ(sb, s_root) == root) {
		if (BPF_CORE_READ(sb, s_magic) == OVERLAYFS_SUPER_MAGIC)
			return go_below(w, sb);
		return end_walk(w, END_COMPLETE, seeded(inode));
	}
	dev = BPF_CORE_READ(sb, s_dev);
	super = bpf_map_lookup_elem(&supers, &dev);
	if (super && (super->live >= latest(control.survey) || is_fallen(super)))
		return end_walk(w, END_UNATTACHED, UNATTACHED);
	end_walk(w, END_COMPLETE, DEAD);
}

// step_up takes one step towards the root, or ends the walk.
static __always_inline void step_up(struct walk *w)
{
	struct dentry *d = (void *)w->at;
	struct link *l = &w->link;
	u32 state;

	look(d, l);
	if (!l->inode)
		return end_walk(w, END_UNKNOWN, UNKNOWN);
	w->now.parent = l->parent;
	w->now.epoch = w->epoch;
	w->now.hash = l->hash;
	state = passed((void *)l->inode, &w->now);
	if (state != UNASKED)
		return end_walk(w, END_COMPLETE, state);
	if (l->parent == w->at)
		return at_root(w, d, l->inode);
	if (w->steps >= MAX_DEPTH)
		return end_walk(w, END_UNKNOWN, UNKNOWN);
	w->step[w->steps & (MAX_DEPTH - 1)] = w->at;
	w->steps++;
	w->at = l->parent;
}

__noinline int climb_some(u32 slot)
{
	struct scratch *s = scratch_at(slot);

	if (!s)
		return 0;
#pragma unroll
	for (int i = 0; i < STRIDE; i++) {
		step_up(&s->walk);
		if (s->walk.end)
			return 0;
	}
	return 1;
}

REPEAT(climb_more, climb_some, TURNS)
REPEAT(climb, climb_more, ROUNDS)

// step_down walks one name down from a known state.
static __always_inline bool step_down(struct walk *w)
{
	u32 n = w->steps, state = w->state;
	u64 at;

	if (n == 0 || n > MAX_DEPTH || state >= UNATTACHED || (state == DEAD && !adds() && !containers))
		return false;
	n--;
	at = w->step[n & (MAX_DEPTH - 1)];
	if (at & OVERLAID) {
		state = rooted(state, at & ~OVERLAID);
	} else {
		state = state == DEAD ? DEAD : delta(state, at, 0);
		if (adds() && state < UNATTACHED)
			state = joined(state, at);
	}
	w->state = state;
	w->steps = n;
	return true;
}

__noinline int descend_some(u32 slot)
{
	struct scratch *s = scratch_at(slot);

	if (!s)
		return 0;
#pragma unroll
	for (int i = 0; i < STRIDE; i++)
		if (!step_down(&s->walk))
			return 0;
	return 1;
}

REPEAT(descend_more, descend_some, TURNS)
REPEAT(descend, descend_more, ROUNDS)

static __always_inline void start_walk(struct walk *w)
{
	w->at = w->dir;
	w->state = DEAD;
	w->end = END_NONE;
	w->steps = 0;
}

static __always_inline void walk_tree(u32 slot, struct walk *w)
{
	for (int i = 0; i < LAPS; i++)
		if (!climb(slot))
			break;
	if (w->end == END_NONE)
		end_walk(w, END_UNKNOWN, UNKNOWN); // deeper than MAX_DEPTH
	if (w->end != END_COMPLETE)
		return;
	for (int i = 0; i < LAPS; i++)
		if (!descend(slot))
			break;
}

// try_resolve makes one attempt, steps 1 to 4 above, and says whether its
// answer (in walk.state) stands.
__noinline int try_resolve(u32 slot)
{
	struct scratch *s = scratch_at(slot);
	struct walk *w;
	u32 seq;

	if (!s)
		return 0;
	w = &s->walk;
	w->epoch = latest(control.epoch);
	seq = settled_seq(1);
	start_walk(w);
	walk_tree(slot, w);
	look((void *)w->dir, &w->link);
	w->now.parent = w->link.parent;
	w->now.epoch = w->epoch;
	w->now.hash = w->link.hash;
	number((void *)w->link.inode, &w->now);
	w->now.state = w->state;
	if ((seq & 1) || rename_seq() != seq)
		return 0;
	if (w->end == END_COMPLETE && w->state < UNATTACHED && latest(control.epoch) == w->epoch)
		remember(w->link.inode, &w->now);
	return 1;
}

// unsure says that seeds may not be what the mounts have become.
static __always_inline bool unsure(void)
{
	return latest(control.asked) != latest(control.done);
}

// resolve computes the state of walk.dir in this slot.
static __always_inline u32 resolve(struct walks *counted, u32 slot, struct scratch *s)
{
	if (unsure()) {
		count(counted->unsure);
		return UNKNOWN;
	}
	count(counted->climbs);
	for (int i = 0; i < TRIES; i++) {
		if (try_resolve(slot))
			return s->walk.state;
		count(counted->retries);
	}
	return UNKNOWN;
}

// ask resolves directory dir. Pointers go by way of the scratch, because a global
// function takes numbers only.
static __noinline u32 ask(struct dentry *dir)
{
	struct walks *counted = walk_counts();
	u32 slot = claim(), state = UNKNOWN;
	struct scratch *s = scratch_at(slot);

	if (!counted)
		return UNKNOWN;
	if (slot == NO_SLOT || !s) {
		count(counted->no_scratch);
		return UNKNOWN;
	}
	s->walk.dir = (u64)dir;
	state = resolve(counted, slot, s);
	if (state == UNKNOWN)
		count(counted->gave_up);
	release(slot);
	return state;
}

// tell fills the part of `now` that lies in the dentry, in the way that costs
// least, and returns the inode.
static __always_inline struct inode *tell(struct dentry *dir, struct tag *now)
{
#ifdef PROBES
	struct link l;

	look(dir, &l);
	now->parent = l.parent;
	now->hash = l.hash;
	return (void *)l.inode;
#else
	now->parent = (u64)dir->d_parent;
	now->hash = dir->d_name.hash;
	return dir->d_inode;
#endif
}

// known_state is the state of directory dir as far as it is known.
static __always_inline u32 known_state(struct dentry *dir)
{
	struct tag now = {.epoch = latest(control.epoch)};
	struct inode *inode = tell(dir, &now);

	if (!inode)
		return DEAD;
	now.ino = fetch(inode, i_ino);
	now.generation = fetch(inode, i_generation);
	return looked((u64)inode, &now);
}

// state_of is the state of directory dir: what is known, else a climb.
static __always_inline u32 state_of(struct counters *counted, struct dentry *dir)
{
	u32 state = known_state(dir);

	if (state != UNASKED)
		return state;
	count(counted->slow);
	return ask(dir);
}

// name_state is the state of what dentry names, given its directory's.
static __always_inline u32 name_state(u32 dir, struct dentry *dentry)
{
	return dir == DEAD || dir >= UNATTACHED ? dir : delta(dir, (u64)dentry, 0);
}

// judge is the state of what dentry names, a file or a directory. A root has
// no name of its own: its state is that of the directory.
static __always_inline u32 judge(struct counters *counted, struct dentry *dentry)
{
	struct dentry *dir = fetch(dentry, d_parent);
	u32 state = state_of(counted, dir);

	return dir == dentry ? state : name_state(state, dentry);
}

// accepts says whether a file in this state may match a pattern.
static __always_inline bool accepts(u32 state)
{
	struct state *s;

	if (state == DEAD)
		return false;
	if (state >= ALIAS)
		return true;
	s = bpf_map_lookup_elem(&states, &state);
	return !s || s->flags & STATE_ACCEPTS;
}

static __always_inline void bump(void)
{
	struct walks *counted = walk_counts();

	__sync_fetch_and_add(&control.epoch, 1);
	if (counted)
		count(counted->bumps);
}

#endif
