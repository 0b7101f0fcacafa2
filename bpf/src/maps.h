// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Every map, with why it exists and its accessor. Both objects declare all of
// them and Go makes them share one instance. Only `tags`, `deads`, `frames`,
// `befores`, `old_acls`, `execs` and `writers` may forget an entry: each can be
// recomputed, or costs one repeated event, or what an event says of before. `shutdowns`
// may forget device numbers that 16,384 others were shut down since.

#ifndef FIM_MAPS_H
#define FIM_MAPS_H

#include "record.h"

// What Go and the programs tell each other while they run: variables, which
// cost no lookup.
struct settings {
	u64 epoch;    // tags of another epoch are void
	u64 host;     // address of the task whose mounts and root directory are the host's
	u64 event;    // of its mount namespace when the last survey was made
	u64 sum;      // over the seeds of that survey, to tell whether they changed
	u64 attached; // when that number was last found to be another one: all mounts are older
	u64 moved;    // when the last rename ended that moved mounts along
	u32 survey;   // its number: the seeds of any other are void
	u32 asked;    // surveys asked for …
	u32 done;     // … and made: if not as many, mounts are newer than seeds
	u32 binds;    // a seed exists that climbs pass
	u32 own_tgid; // this process: what it does is ignored
	u32 moving;   // entries of the map of that name
	u32 lacks[2]; // two states that a survey found no join of
	u32 carrying; // renames under way that move mounts along
	u32 moves;    // and how many there were
	u32 whole;    // the last survey that took nothing from the ones before
	u32 stale;    // the next one is to be such
	u32 sown;     // entries that surveys have added to seeds
	u32 linked;   // whether `inodes` has ever had an entry,
	u32 followed; // and `followed`,
	u32 trees;    // and that a directory
	u32 forgets;  // twice how many of those Go has taken away; odd: it is at it
	u32 bound;    // whether `inodes` has ever had a file that is mounted by itself
};

struct settings control SEC(".data.control") = {.epoch = 1};

// Go looks at the ring by itself: to wake it would only cost.
u32 attentive SEC(".data.control") = 0;

// latest is the value that a variable has now; others write it.
#define latest(variable) (*(volatile typeof(variable) *)&(variable))

// The automaton's tables, written by Go only. State 0 is dead.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct state);
} states SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct edge);
	__type(value, u32);
} edges SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct pair);
	__type(value, u32);
} joins SEC(".maps");

// Directories that host mounts show, by inode address. The mount itself keeps
// the inode in memory; number, device and generation unmask an address that was
// reused since.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, struct seed);
} seeds SEC(".maps");

// Filesystems (by s_dev) that have had a live seed, until they are shut down, with the
// last survey that found one, and the last that found a mount where nothing is watched.
struct super {
	u32 live;
	u32 dead;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, u32);
	__type(value, struct super);
} supers SEC(".maps");

// is_fallen says of a filesystem that the host shows nowhere any more, though something
// there was watched: who still uses it is told of by its last seeds.
static __always_inline bool is_fallen(struct super *super)
{
	return super->live < latest(control.survey) && super->dead < latest(control.survey);
}

// What was worked out of a mount, by its address: a cache that holds while each
// survey finds the mount where it was and no directory above has been renamed.
struct placed {
	struct place place;
	u64 above; // a bit for each directory above
	u32 id;    // of the mount: tells its address apart
	u32 seen;  // number of the last survey that found it
	u32 state; // of the place where it is mounted, DEAD also for a single file
	u32 dev;   // s_dev
	u64 creator; // of an overlay filesystem: whose credentials it uses
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, struct placed);
} placeds SEC(".maps");

// When a mount with this number was last about to be attached where something is
// watched, in the one place that the number gives: it is used again as soon as its mount
// is gone, and so tells Go which of them its table has. Two that share a place push each
// other out. Go maps it, as `counts`.
#define ATTACHED_BITS 12

struct attached {
	u64 at; // boot time, as the record of it has
	u32 mount_id;
	u32 unused;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << ATTACHED_BITS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct attached);
} attacheds SEC(".maps");

// The credentials that overlay filesystems of the host use for their layers, by
// address, and the last survey that found such a one mounted.
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, u32);
} creators SEC(".maps");

// The directories above the host's mountpoints, each dentry in the one place that
// its address gives, and the last survey that passed one: to rename such a
// directory moves mounts. Two that share a place cost a survey too many, and so
// does what is no longer above one, until the next whole survey.
#define CARRIER_BITS 16

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << CARRIER_BITS);
	__type(key, u32);
	__type(value, u32);
} carriers SEC(".maps");

// The one survey that is being made, by whoever took the token from `turn`.
struct survey {
	u64 ns;       // the host's mount namespace
	u64 event;    // of it, at the beginning
	u64 root;     // dentry and mount of the host's root directory
	u64 root_mnt;
	u64 mount;    // that is being looked at
	u64 at;       // where the climb from its mountpoint stands: dentry,
	u64 mnt;      // mount,
	u64 mnt_root; // and that mount's root
	u64 fresh;    // the mount below which all are looked at anew
	u64 sum;
	u64 lifted;   // bits of the directories that were renamed since the last survey
	u64 above;    // a bit for each directory above `mount`
	struct place place; // of it
	struct placed now;  // what is to be remembered of it; this and the next two lie
	struct seed sown;   // here because the stack of 5.10 is short
	struct link link;
	u32 moves;    // renames of directories above mountpoints, at the beginning
	u32 followed; // and those that surveys in force have followed
	u32 number;
	u32 whole; // nothing is taken from the surveys before
	u32 over; // enum over
	u32 back; // what is mounted on this one has been looked at
	u32 binds;
	u32 steps;
	u32 state;
	u32 end; // enum end
	u32 found; // a filesystem that was fallen is mounted where nothing is watched
	u32 unused;
	u64 step[MAX_DEPTH]; // dentries passed, leaf side first
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct survey);
} surveys SEC(".maps");

// There is one; that a number names it lets REPEAT hand that on.
static __always_inline struct survey *survey_at(u32 place)
{
	return bpf_map_lookup_elem(&surveys, &place);
}

static __always_inline struct survey *surveyed(void)
{
	return survey_at(0);
}

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1);
	__type(value, u32);
} turn SEC(".maps");

// Files with several names, one of which may be watched: what is done through the
// others concerns them too. And files that are mounted by themselves where a pattern
// names them. A number may be used again, so the generation counts.
struct inode_key {
	u64 ino;
	u32 dev; // as record.dev
	u32 unused;
};

struct noted {
	u64 since; // boot time
	u32 generation;
	u32 bound; // mounted by itself, so it counts with one name too
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct inode_key);
	__type(value, struct noted);
} inodes SEC(".maps");

// When the last filesystem with this device number was shut down: what was noted of its
// files is not of those of the next one, which in an overlay have the same numbers.
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u32);
	__type(value, u64);
} shutdowns SEC(".maps");

// is_stale says so of what was noted then.
static __always_inline bool is_stale(u32 dev, u64 since)
{
	u64 *at = bpf_map_lookup_elem(&shutdowns, &dev);

	return at && *at > since;
}

// What was moved out of the watched places and is followed: see follow.h.
struct followed {
	u64 since;      // boot time: tells one note from the next; odd: there was one before
	u32 generation;
	u32 state;      // of a directory, that it had; of anything else DEAD
	u32 told;       // the record of the rename is on its way
	u32 unused;
};

#define NOTE_TRIES 64 // Go takes one away in less time

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct inode_key);
	__type(value, struct followed);
} followed SEC(".maps");

// The state of a directory, by inode address. A cache: an entry counts only
// while everything in it still holds.
struct tag {
	u64 parent; // address of the parent dentry
	u64 ino;
	u64 epoch;
	u32 hash; // of the name
	u32 generation;
	u32 state;
	u32 unused;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, u64);
	__type(value, struct tag);
} tags SEC(".maps");

// Directories known to be dead, which nearly all are, each in the one place that
// the hash of its name gives: reading it costs a third of a lookup in `tags`. Two that
// share a place only push each other out. The words are not written as one; but
// `mark` alone holds the epoch and all that tells the directory, save from a
// copy in a snapshot, so what is torn does not match. The others spare a climb
// from reading what `mark` is made of.
struct dead {
	u64 inode;  // address
	u64 parent; // address of the parent dentry
	u64 epoch;
	u64 mark;
};

#define DEAD_BITS 14

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << DEAD_BITS);
	__type(key, u32);
	__type(value, struct dead);
} deads SEC(".maps");

static __always_inline u64 spread(u64 value)
{
	return value * 0x9e3779b97f4a7c15ull; // 2^64 / golden ratio: the high bits depend on all
}

static __always_inline u64 mix(u64 sum, u64 value)
{
	sum = spread(sum ^ value);
	return sum ^ sum >> 32;
}

static __always_inline u64 mark(struct tag *tag)
{
	return mix(mix(tag->epoch, tag->ino), (u64)tag->generation << 32 | tag->hash);
}

// The hash of a name has its parent's address in it (fs/dcache.c, full_name_hash).
static __always_inline struct dead *dead_at(u32 hash)
{
	u32 place = spread(hash) >> (64 - DEAD_BITS);

	return bpf_map_lookup_elem(&deads, &place);
}

// The mount of an operation between its security hook and its commit, by
// thread. Only where the directory may be watched, so it stays nearly empty.
struct stash {
	u64 dentry;
	u64 parent;
	u64 mnt;
	u64 ino;   // of the file that goes away; of a rename the hash of the old name
	u32 op;    // what is to come
	u32 given; // its flags
	u32 mode;
	u32 entered; // the function that does it
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, u32);
	__type(value, struct stash);
} stashes SEC(".maps");

// The name that a directory was to get, by thread: see mkdir.h.
struct attempt {
	char name[NAME_SPACE];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, struct attempt);
} attempts SEC(".maps");

// The files that an exec(2) is about to run, by thread: a script and its
// interpreter.
struct image {
	u64 dentry;
	u64 inode; // address
	u64 mnt;
	u64 ino;
	u32 generation;
	u32 state;
};

#define IMAGES 2

struct exec {
	struct image image[IMAGES];
	u64 bprm; // address of what it is done by, once there is no way back
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, struct exec);
} execs SEC(".maps");

// Threads that are renaming a directory or attaching a mount of the host's. No
// survey counts while there is one.
enum leaving { // what is to be done when it is over
	LEAVE_BUMP = 1,   // void all tags once more
	LEAVE_SURVEY = 2, // a rename moved mounts along
};

struct move {
	u64 since; // boot time; tells one that was never seen to end
	u64 lifted; // bits of the directories that are renamed
	u32 leaving;
	u32 unused;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, u32);
	__type(value, struct move);
} moving SEC(".maps");

// A call between kprobe and kretprobe, by thread and stack address, which tells
// nested calls (overlayfs) apart.
struct frame_key {
	u64 sp;
	u64 tid;
};

#define MAX_ARGS 5

// call is one call of a function: the arguments that the body asked for, and
// after its return the result.
struct call {
	u64 arg[MAX_ARGS];
	u64 result;
	u64 wide; // it returns an address, or an error number as one
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct frame_key);
	__type(value, struct call);
} frames SEC(".maps");

// What was before a change of attributes, by thread and what the change is of.
// Forgetting one leaves an event without it.
struct subject {
	u64 dentry;
	u64 tid;
};

struct before {
	struct attributes attributes;
	u64 file; // address of the open one by which it is truncated; 0: none
	u32 flags; // i_flags
	u32 asked; // the operation of notify_change
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct subject);
	__type(value, struct before);
} befores SEC(".maps");

struct acl {
	u32 bytes;
	u32 cut;
	struct acl_entry entries[MAX_ACL];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct subject);
	__type(value, struct acl);
} old_acls SEC(".maps");

// Open files that were modified, by file address: who wrote last and how big
// the file was before the first write. Ends at the file's release, which every
// flavour that Go chooses sees; clearing it at open as well would tax each open
// for writing of the whole host.
struct dirty {
	u64 inode; // address
	u64 serial; // when it began; tells a reused file address apart
	u64 old_size;
	u64 mnt;
	struct actor actor;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, struct dirty);
} dirties SEC(".maps");

// The marks of processes that were told of, each in the one place that it gives. Two
// that share a place are told again and again. Go keeps twice as many.
#define INTRODUCED_BITS 11

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << INTRODUCED_BITS);
	__type(key, u32);
	__type(value, u64);
} introduced SEC(".maps");

static __always_inline u64 *introduced_at(u64 mark)
{
	u32 place = mark >> (64 - INTRODUCED_BITS);

	return bpf_map_lookup_elem(&introduced, &place);
}

// How many dirty files have an inode number that spreads to this place: mostly none,
// and then closing a file costs no lookup.
#define DIRTY_BITS 12

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << DIRTY_BITS);
	__type(key, u32);
	__type(value, u32);
} soiled SEC(".maps");

static __always_inline u32 *soiled_at(u64 ino)
{
	u32 place = spread(ino) >> (64 - DIRTY_BITS);

	return bpf_map_lookup_elem(&soiled, &place);
}

// When a process last had a modify reported through an open file. Forgetting
// one repeats an event.
struct writer {
	u64 file;
	u64 tgid;
};

struct written {
	u64 serial;
	u64 last;
	u64 name;  // that the file had: its parent's address and its hash
	u32 state; // and what that was taken for,
	u32 epoch; // in that epoch
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct writer);
	__type(value, struct written);
} writers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096 * 1024);
} ring SEC(".maps");

// A block of rows for each CPU, whose number Go knows, in memory that Go maps: a
// task that is preempted in a map operation of bpf(2) keeps the kernel from
// running probes on its CPU, so fim makes none to read what it counts.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HOOKS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct counters);
} counts SEC(".maps");

static __always_inline struct counters *counters(u32 hook)
{
	u32 row = bpf_get_smp_processor_id() * HOOKS + hook;

	return bpf_map_lookup_elem(&counts, &row);
}

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, u32);
	__type(value, struct walks);
} walked SEC(".maps");

static __always_inline struct walks *walk_counts(void)
{
	u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&walked, &cpu);
}

// Atomic because LSM programs can be preempted on their CPU.
#define count(counter) __sync_fetch_and_add(&(counter), 1)

// walk is the working state of one climb through dentries.
struct walk {
	u64 dir; // the directory that is asked for
	u64 at;  // the dentry the walk stands on
	u64 epoch;
	u32 state;
	u32 end; // enum end
	u32 steps;
	u32 unused;
	struct link link; // of `at`, here because the stack of 5.10 is short
	struct tag now;
	u64 step[MAX_DEPTH]; // dentries passed, leaf side first
};

// trail is the working state of writing one path into a record.
struct trail {
	u64 dentry; // whose names, and the mount through which it was reached,
	u64 via;    // if known
	u64 at;
	u64 mnt; // of the actor; 0: not known
	struct place place; // of mnt
	u64 top;  // dentry of the filesystem's root; 0: not looked up
	u64 root; // dentry and mount of the actor's root directory
	u64 root_mnt;
	struct link link; // of `at`
	u32 start; // of this path in data
	u32 used;
	u32 count;
	u32 in_mount;
	u32 end;
	u32 flags;
	u64 tree; // number of the nearest directory that is followed, and how many names
	u32 below; // lie beneath, plus 1; 0: there is none
	u32 unused;
};

// origin is what the mark of a process is made of. An address is that of something
// else once the kernel has used the memory again, so what can come and go while the
// process lives stands with what tells it apart.
struct origin {
	u64 image; // number of the execve(2)
	u64 pwd;
	u64 pwd_ino;
	u64 pwd_generation;
	u64 pwd_mnt;
	u64 mnt_ns; // number that the namespace is shown by,
	u64 mounts; // and another one after each change of its mounts
	u64 groups;
	u64 group; // number of the one of version 2, never used again
	u64 session;
	u64 terminal;
	u64 terminal_index;
	u64 parent;
	u64 parent_image;
	u64 grandparent;
	u64 root; // dentry and mount of the root directory, which make no mark
	u64 root_mnt;
};

// scratch is what does not fit the stack of 512 bytes.
struct scratch {
	struct walk walk;
	struct trail trail;
	struct origin origin;
	struct acl acl;
	struct record record; // directly before its data: sent as one piece
	char data[DATA_SIZE + NAME_SPACE];
};

// A pool and not one slot per CPU: LSM programs can be preempted, and the next
// task on that CPU would write over the first one's scratch (seen, hundreds of
// times in 320,000 opens). Claiming from a queue works on every kernel and for
// every kind of program. Go fills `idle` with the slots' numbers.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1);
	__type(value, u32);
} idle SEC(".maps");

static __always_inline struct scratch *scratch_at(u32 slot)
{
	return bpf_map_lookup_elem(&scratches, &slot);
}

#define NO_SLOT (~0u)

static __always_inline u32 claim(void)
{
	u32 slot;

	return bpf_map_pop_elem(&idle, &slot) ? NO_SLOT : slot;
}

static __always_inline void release(u32 slot)
{
	bpf_map_push_elem(&idle, &slot, BPF_ANY);
}

#endif
