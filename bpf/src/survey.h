// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Seeds: what the host's mounts make of the directories that they show.
//
// A survey goes through all mounts that can be reached from the host's root
// directory, hidden ones too, walks from each mountpoint up to that root and down
// again by the automaton, and joins the states that come out for each directory
// that is mounted. Nothing is taken from user space, which would learn of it later
// and by names. It is made by whoever changed something, before that is done:
// the thread that mounts, moves or unmounts, before its system call returns; one
// that renames a directory above a mountpoint; and Go, at its start, when joins
// were lacking, and where a program was skipped.
//
// One survey is made at a time. Whoever finds another at work, or cannot make one
// that counts, asks for it: until that is made all answers are "unknown" and no tag
// is valid. So it is, too, from before a mount can be seen at a live mountpoint.
// A survey counts if no mount of the host changed meanwhile, which its namespace's
// event number tells, and no mount was being attached and no directory renamed at
// its end. Its seeds replace the last ones' at once, by their number; if they are
// the same no tag is voided, so who mounts where nothing is watched costs nobody.
// The walk of a mount that has not moved is spared: it is remembered in `placeds`.

#ifndef FIM_SURVEY_H
#define FIM_SURVEY_H

#include "automaton.h"

// The verifier follows this many turns of a loop around one call without trouble;
// two loops, one in the other, do for 32,768 mounts.
#define STRETCH 256

enum over {
	OVER_NOT,
	OVER_DONE,
	OVER_BROKEN, // what was read cannot be the mounts of one moment
};

static __always_inline u32 *carrier_at(u64 dentry)
{
	u32 place = spread(dentry) >> (64 - CARRIER_BITS);

	return bpf_map_lookup_elem(&carriers, &place);
}

// bit is one of 64 for a dentry: sets of them tell mostly, and surely where a
// dentry is not in them.
static __always_inline u64 bit(u64 dentry)
{
	return 1ull << (spread(dentry) >> 58);
}

// rise takes one step of the climb from a mountpoint to the host's root directory,
// through the mounts on the way.
static __always_inline void rise(struct survey *s)
{
	struct mount *m = (void *)s->mnt, *parent;
	struct link *l = &s->link;
	u32 *carrier;

	if (s->at == s->root && s->mnt == s->root_mnt) {
		s->end = END_COMPLETE;
		return;
	}
	if (s->at == s->mnt_root) {
		parent = BPF_CORE_READ(m, mnt_parent);
		s->at = (u64)BPF_CORE_READ(m, mnt_mountpoint);
		s->mnt = (u64)parent;
		s->mnt_root = (u64)BPF_CORE_READ(parent, mnt.mnt_root);
		if (parent == m)
			s->end = END_UNATTACHED; // outside of the host's root directory
		return;
	}
	look((void *)s->at, l);
	if (l->parent == s->at || s->steps >= MAX_DEPTH) {
		s->end = l->parent == s->at ? END_UNATTACHED : END_CUT;
		return;
	}
	carrier = carrier_at(s->at);
	if (carrier)
		*carrier = s->number;
	s->above |= bit(s->at);
	s->step[s->steps & (MAX_DEPTH - 1)] = s->at;
	s->steps++;
	s->at = l->parent;
}

__noinline int rise_some(u32 place)
{
	struct survey *s = survey_at(place);

	if (!s)
		return 0;
#pragma unroll
	for (int i = 0; i < STRIDE; i++) {
		rise(s);
		if (s->end)
			return 0;
	}
	return 1;
}

// Kernels to 6.1 allow 8 frames, so one loop of these does for two.
REPEAT(rise_far, rise_some, TURNS *ROUNDS)

// sink walks one name down again.
__noinline int sink(u32 place)
{
	struct survey *s = survey_at(place);
	u32 n;

	if (!s)
		return 0;
	n = s->steps;
	if (n == 0 || n > MAX_DEPTH || s->state == DEAD || s->state >= UNATTACHED)
		return 0;
	n--;
	s->state = delta(s->state, s->step[n & (MAX_DEPTH - 1)], 0);
	s->steps = n;
	return 1;
}

REPEAT(sink_far, sink, STRIDE *TURNS *ROUNDS)

// try_place computes the state of the place where the mount is, and says whether
// no rename overtook that.
__noinline int try_place(void)
{
	struct survey *s = surveyed();
	struct mount *m;
	u32 seq;

	if (!s)
		return 1;
	seq = settled_seq(1);
	s->at = s->mount == s->root_mnt ? s->root : s->place.point;
	s->mnt = s->mount == s->root_mnt ? s->root_mnt : s->place.parent;
	m = (void *)s->mnt;
	s->mnt_root = (u64)BPF_CORE_READ(m, mnt.mnt_root);
	s->steps = 0;
	s->above = 0;
	s->end = END_NONE;
	s->state = start;
	for (int i = 0; i <= LAPS; i++) // mountpoints on the way are steps as well
		if (!rise_far(0))
			break;
	if (s->end == END_UNATTACHED)
		s->state = DEAD;
	else if (s->end != END_COMPLETE)
		s->state = UNKNOWN;
	for (int i = 0; i < LAPS; i++)
		if (!sink_far(0))
			break;
	return !(seq & 1) && rename_seq() == seq;
}

// union_of is join, which notes for Go what it lacks.
static __always_inline u32 union_of(u32 a, u32 b)
{
	u32 both = join(a, b);

	if (both == UNKNOWN && a < UNATTACHED && b < UNATTACHED) {
		control.lacks[0] = a;
		control.lacks[1] = b;
	}
	return both;
}

// note_live notes that a filesystem has a live seed. It fails when there is no room.
static __always_inline bool note_live(u32 dev, u32 survey)
{
	struct super *known = bpf_map_lookup_elem(&supers, &dev);
	struct super fresh = {.live = survey};

	if (known) {
		known->live = survey;
		return true;
	}
	return !bpf_map_update_elem(&supers, &dev, &fresh, BPF_ANY);
}

// note_dead notes that one which had is also mounted where nothing is watched.
static __always_inline void note_dead(struct survey *s)
{
	struct super *known;
	u32 dev = s->now.dev;

	known = bpf_map_lookup_elem(&supers, &dev);
	if (!known)
		return;
	if (is_fallen(known))
		s->found = 1;
	known->dead = s->number;
}

// sow adds a state to the seed of a mount's root. It fails when there is no room,
// which is told as lost.
static __always_inline bool sow(struct survey *s, struct dentry *root)
{
	struct inode *inode = BPF_CORE_READ(root, d_inode);
	struct counters *counted = counters(HOOK_MOUNT);
	struct super_block *sb = BPF_CORE_READ(inode, i_sb);
	struct seed *seed;
	u64 key = (u64)inode;
	struct sight *sight;
	u32 dev = BPF_CORE_READ(sb, s_dev), bind;

	bind = BPF_CORE_READ(sb, s_root) != root || BPF_CORE_READ(sb, s_magic) == OVERLAYFS_SUPER_MAGIC;
	s->binds |= bind;
	if (!counted)
		return false;
	if (!note_live(dev, s->number))
		goto full;
	seed = seed_of(key);
	if (!seed) {
		s->sown.ino = BPF_CORE_READ(inode, i_ino); // and no sight: it stays zero
		s->sown.generation = BPF_CORE_READ(inode, i_generation);
		s->sown.dev = dev;
		if (bpf_map_update_elem(&seeds, &key, &s->sown, BPF_ANY))
			goto full;
		control.sown++;
		seed = bpf_map_lookup_elem(&seeds, &key);
		if (!seed)
			goto full;
	}
	seed->bind = bind;
	sight = &seed->sights[s->number & 1];
	if (sight->survey == s->number) {
		s->sum -= mix(key, sight->state);
		sight->state = union_of(sight->state, s->state);
	} else {
		sight->state = s->state;
		sight->survey = s->number;
	}
	s->sum += mix(key, sight->state);
	return true;
full:
	count(counted->lost_map);
	return false;
}

// work_out finds the state of the place where the mount is, by walking to it. That
// of a single file counts as dead, since the state of a file is its directory's.
static __always_inline void work_out(struct survey *s)
{
	struct dentry *root = (void *)s->place.root;
	int i;

	s->state = DEAD;
	s->above = 0;
	if ((BPF_CORE_READ(root, d_inode, i_mode) & S_IFMT) != S_IFDIR)
		return;
	for (i = 0; i < TRIES; i++)
		if (try_place())
			return;
	s->state = UNKNOWN;
}

// creator_below is whose credentials the filesystem that root is of uses for its layers,
// 0 if it has none.
static __always_inline u64 creator_below(struct dentry *root)
{
	struct super_block *sb = BPF_CORE_READ(root, d_sb);

	return BPF_CORE_READ(sb, s_magic) == OVERLAYFS_SUPER_MAGIC ? creator_of((u64)sb) : 0;
}

// visit looks at one mount. One that is where the survey before found it needs no
// walk, unless one above it was moved, or a directory.
static __always_inline bool visit(struct survey *s)
{
	struct mount *m = (void *)s->mount;
	struct placed *known, *now = &s->now;
	struct dentry *root;
	u64 key = s->mount;

	locate(m, &s->place);
	now->id = BPF_CORE_READ(m, mnt_id);
	known = bpf_map_lookup_elem(&placeds, &key);
	if (known && !s->whole && !s->fresh && known->seen >= control.survey && !(known->above & s->lifted) &&
	    known->id == now->id && known->place.parent == s->place.parent &&
	    known->place.point == s->place.point && known->place.root == s->place.root) {
		s->state = known->state;
		now->creator = known->creator;
		now->dev = known->dev;
		known->seen = s->number;
	} else {
		if (!s->fresh)
			s->fresh = key;
		work_out(s);
		root = (void *)s->place.root;
		now->dev = BPF_CORE_READ(root, d_sb, s_dev);
		now->creator = creator_below(root);
		now->place = s->place;
		now->seen = s->number;
		now->state = s->state;
		now->above = s->above;
		if (s->state != UNKNOWN)
			bpf_map_update_elem(&placeds, &key, now, BPF_ANY);
	}
	if (now->creator)
		bpf_map_update_elem(&creators, &now->creator, &s->number, BPF_ANY);
	if (s->state != DEAD)
		return sow(s, (void *)s->place.root);
	note_dead(s);
	return true;
}

// advance goes on to the next mount: to the first on this one, else to the next
// on the same parent, else to the parent, whose turn to be looked at is over.
__noinline int advance(void)
{
	u64 mounts = bpf_core_field_offset(struct mount, mnt_mounts);
	u64 child = bpf_core_field_offset(struct mount, mnt_child);
	struct survey *s = surveyed();
	struct mount *m;
	u64 next, parent;

	if (!s)
		return 0;
	m = (void *)s->mount;
	s->over = OVER_BROKEN;
	if (!s->back) {
		if ((u64)BPF_CORE_READ(m, mnt_ns) != s->ns || !visit(s))
			return 0;
		next = (u64)BPF_CORE_READ(m, mnt_mounts.next);
		if (next != s->mount + mounts) {
			s->mount = next - child;
			s->over = OVER_NOT;
			return 1;
		}
		s->back = 1;
	}
	if (s->mount == s->root_mnt) {
		s->over = OVER_DONE;
		return 0;
	}
	if (s->mount == s->fresh)
		s->fresh = 0;
	parent = (u64)BPF_CORE_READ(m, mnt_parent);
	next = (u64)BPF_CORE_READ(m, mnt_child.next);
	if (next == s->mount + child)
		return 0; // taken off its list meanwhile
	s->back = next == parent + mounts;
	s->mount = s->back ? parent : next - child;
	s->over = OVER_NOT;
	return 1;
}

__noinline int advance_some(void)
{
	for (int i = 0; i < STRETCH; i++)
		if (!advance())
			return 0;
	return 1;
}

__noinline u32 spin_for_mounts(u32 seq)
{
	for (int i = 0; i < SPINS && seq & 1; i++)
		seq = mount_seq();
	return seq;
}

// settled_mounts says that no mount is being attached or detached, or was at some
// moment of a short while.
__noinline int settled_mounts(u32 seq)
{
	for (int i = 0; i < SPINS && seq & 1; i++)
		seq = spin_for_mounts(seq);
	return !(seq & 1);
}

static __always_inline struct mnt_namespace *host_namespace(void)
{
	struct task_struct *host = (void *)control.host;

	return BPF_CORE_READ(host, nsproxy, mnt_ns);
}

// begin_survey takes the next number whose place in seeds is not in use. Of a
// rename that was not followed yet it must know the bits; of several it does not.
static __always_inline bool begin_survey(struct survey *s, u64 lifted)
{
	struct task_struct *host = (void *)control.host;
	struct mnt_namespace *ns = host_namespace();
	struct fs_struct *fs = BPF_CORE_READ(host, fs);
	struct vfsmount *mnt = BPF_CORE_READ(fs, root.mnt);

	if (!settled_mounts(1))
		return false;
	s->ns = (u64)ns;
	s->event = BPF_CORE_READ(ns, event);
	s->whole = control.stale || s->root != (u64)BPF_CORE_READ(fs, root.dentry) || s->root_mnt != (u64)mount_of(mnt);
	s->root = (u64)BPF_CORE_READ(fs, root.dentry);
	s->root_mnt = (u64)mount_of(mnt);
	s->mount = s->root_mnt;
	s->number++;
	if ((s->number & 1) == (control.survey & 1))
		s->number++;
	s->moves = latest(control.moves);
	s->lifted = s->moves == s->followed ? 0 : s->moves == s->followed + 1 && lifted ? lifted : ~0ull;
	s->sum = 0;
	s->fresh = 0;
	s->over = OVER_NOT;
	s->back = 0;
	s->binds = 0;
	return ns && mnt;
}

// try_survey makes one attempt and says whether it holds.
__noinline int try_survey(u64 lifted)
{
	struct survey *s = surveyed();
	struct mnt_namespace *ns;

	if (!s || !begin_survey(s, lifted))
		return 0;
	for (int i = 0; i < STRETCH; i++)
		if (!advance_some())
			break;
	if (s->over != OVER_DONE || !settled_mounts(1))
		return 0;
	ns = (void *)s->ns;
	return BPF_CORE_READ(ns, event) == s->event && !latest(control.moving) && latest(control.moves) == s->moves;
}

// reap puts a survey in force.
static __always_inline void reap(u32 asked)
{
	struct survey *s = surveyed();
	bool changed;

	if (!s)
		return;
	changed = s->sum != control.sum || s->found;
	s->found = 0;
	if (s->binds)
		latest(control.binds) = 1;
	control.sum = s->sum;
	s->followed = s->moves;
	latest(control.event) = s->event;
	latest(control.survey) = s->number;
	if (s->whole) {
		latest(control.whole) = s->number;
		latest(control.stale) = 0;
	}
	if (changed)
		bump();
	latest(control.binds) = s->binds;
	latest(control.done) = asked;
}

// resurvey makes a survey if it must, and those that were asked for. One that it
// must and cannot make it asks for; lifted are the bits of the directories that this
// thread has renamed, 0 for others.
static __always_inline void resurvey(bool must, u64 lifted)
{
	struct walks *counted = walk_counts();
	u32 token, asked;

	for (int i = 0; i < TRIES && (must || unsure()); i++) {
		if (bpf_map_pop_elem(&turn, &token))
			break;
		asked = latest(control.asked);
		if (counted)
			count(counted->surveys);
		if (try_survey(lifted)) {
			reap(asked);
			must = false;
		}
		bpf_map_push_elem(&turn, &token, BPF_ANY);
	}
	if (must)
		count(control.asked);
	if (unsure())
		bump();
}

// set_out notes that this thread moves a directory or a mount, and returns the note:
// that of an outer call or of a twin, if there is one; NULL if there is no room.
static __always_inline struct move *set_out(struct counters *counted)
{
	u32 tid = bpf_get_current_pid_tgid();
	struct move *kept = bpf_map_lookup_elem(&moving, &tid);
	struct move move = {};

	if (kept)
		return kept;
	move.since = bpf_ktime_get_boot_ns();
	count(control.moving);
	if (bpf_map_update_elem(&moving, &tid, &move, BPF_ANY)) {
		count(counted->lost_map);
		__sync_fetch_and_add(&control.moving, -1);
		return NULL;
	}
	return bpf_map_lookup_elem(&moving, &tid);
}

// arrive ends that of a thread and returns what is to be done then.
static __always_inline u32 arrive(u32 tid, u64 *lifted)
{
	struct move *kept;
	u32 leaving;

	if (!latest(control.moving))
		return 0;
	kept = bpf_map_lookup_elem(&moving, &tid);
	if (!kept)
		return 0;
	leaving = kept->leaving;
	*lifted = kept->lifted;
	if (bpf_map_delete_elem(&moving, &tid))
		return 0;
	__sync_fetch_and_add(&control.moving, -1);
	return leaving;
}

// state_at is the state of a mountpoint. Of a directory that is what other mounts there
// make of it, too: another may be mounted on its root.
static __always_inline u32 state_at(struct counters *counted, struct dentry *point)
{
	struct inode *inode = fetch(point, d_inode);

	if (inode && (fetch(inode, i_mode) & S_IFMT) == S_IFDIR)
		return state_of(counted, point);
	return judge(counted, point);
}

// attaching is called before a mount can be seen at its mountpoint. If that is the
// host's and something is watched there, all is unknown until a survey was made.
// Nothing that hangs below can be live if the mountpoint is dead.
static __always_inline bool attaching(struct counters *counted, struct mount *parent, struct dentry *point)
{
	if (BPF_CORE_READ(parent, mnt_ns) != host_namespace() || state_at(counted, point) == DEAD)
		return false;
	set_out(counted);
	count(control.asked);
	bump();
	return true;
}

// remounted says whether the host's mounts have changed since the last survey.
static __always_inline bool remounted(void)
{
	struct mnt_namespace *ns = host_namespace();

	if (BPF_CORE_READ(ns, event) == latest(control.event))
		return false;
	latest(control.attached) = bpf_ktime_get_boot_ns();
	return true;
}

// mounted is called when mounts may have changed, the host's or others'.
static __always_inline void mounted(void)
{
	u64 lifted;

	arrive(bpf_get_current_pid_tgid(), &lifted);
	resurvey(remounted(), 0);
}

// carries says whether to rename a directory moves mounts along.
static __always_inline bool carries(u64 dentry)
{
	u32 *carrier = carrier_at(dentry);

	return unsure() || !carrier || (*carrier && *carrier >= latest(control.whole));
}

#endif
