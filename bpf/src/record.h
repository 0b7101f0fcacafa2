// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What the programs and Go share: the record of one event, the tables of the
// automaton, the counters. Members are ordered so that no padding hides; a Go
// test compares every layout with the generated types.

#ifndef FIM_RECORD_H
#define FIM_RECORD_H

#include "kernel.h"

// Operations, numbered as event.Op is (a Go test holds them together).
enum op {
	OP_OPEN = 1,
	OP_CREATE = 2,
	OP_MODIFY = 3,
	OP_CLOSE = 4,
	OP_TRUNCATE = 5,
	OP_MMAP = 6,
	OP_RENAME = 7,
	OP_LINK = 8,
	OP_SYMLINK = 9,
	OP_UNLINK = 10,
	OP_MKDIR = 11,
	OP_RMDIR = 12,
	OP_MKNOD = 13,
	OP_CHMOD = 14,
	OP_CHOWN = 15,
	OP_UTIMES = 16,
	OP_SETXATTR = 17,
	OP_REMOVEXATTR = 18,
	OP_SETACL = 19,
	OP_CHATTR = 20,
	OP_EXEC = 21,
	OP_ATTRIB = 22,
	OP_MOUNT = 23, // of both: which mount, and who, see mount.h
	OP_UMOUNT = 24,
};

// What a record says of its paths.
enum flag {
	FLAG_UNKNOWN = 1,    // the kernel could not tell whether this is watched
	FLAG_UNATTACHED = 2, // no chain of names leads to the filesystem's root
	FLAG_CUT = 4,        // the path is longer than MAX_PATH or MAX_DEPTH; its root side is missing
	FLAG_UNSTABLE = 8,   // renames kept overtaking the walk: names may mix two moments
	FLAG_VIEW = 16,      // the view path is complete
	FLAG_OLD_SIZE = 32,  // before.size is known
	FLAG_SIZE = 64,      // now.size is known
	FLAG_ATTEMPT = 128,  // whether it succeeded is not known
	FLAG_NOW = 256,      // the rest of `now` is known
	FLAG_BEFORE = 512,   // the rest of `before` is known
	FLAG_GIVEN = 1024,   // given is known
	FLAG_OLD_GIVEN = 2048, // old_given is known
	FLAG_ACL = 4096,     // the ACL is known; none if it has no bytes
	FLAG_OLD_ACL = 8192, // the one before is known
	FLAG_TEXT_CUT = 16384, // text or an ACL is longer than there was room for
	FLAG_UPPER = 65536,  // of overlayfs: the file lies in the upper layer, real_ino and real_dev say as what
	FLAG_LOWER = 131072, // in a lower one
	FLAG_ENDS = 262144,  // of a rename: the file that it replaced was followed
	FLAG_BENEATH = 524288, // of overlayfs: `layer` is the path of the file itself, in a lower layer
	FLAG_RETOLD = 1048576, // of a modify: the last one, while this was not known, may have been told
	FLAG_ALIAS = 32768,  // the path is not watched; the file has another name, which may be
};

#define MAX_PATH 4096  // bytes of one path, as PATH_MAX
#define MAX_DEPTH 2048 // names in one path: PATH_MAX of "a/a/a…"
#define NAME_SPACE 256 // NAME_MAX and the terminating NUL
#define DATA_SIZE 16384
#define COMM 16

// actor is who did it. Ids are those of the initial namespaces.
struct actor {
	u64 start; // nanoseconds since boot, suspend included
	u64 mark;  // of the record that tells the rest of the process; 0: there is none
	u32 tgid;
	u32 tid;
	u32 ppid;
	u32 uid; // effective, as file permissions see it
	u32 gid;
	u32 ruid; // real
	u32 rgid;
	u32 loginuid; // (u32)-1: never set
	char comm[COMM];
	char thread_comm[COMM]; // of another thread than the first
};

#define MAX_ANCESTORS 8
#define ARGV_SPACE 4096

// ancestor is a process above; tgid 0 ends the list.
struct ancestor {
	u64 start;
	u32 tgid;
	u32 exe_bytes;
	char comm[COMM];
};

enum process_flag {
	PROCESS_ARGV = 1,     // the arguments are known; none if they have no bytes
	PROCESS_ARGV_CUT = 2, // there are more
	PROCESS_GROUP = 4,    // the control group of version 2 is known
	PROCESS_GROUP1 = 8,   // and one of version 1
	PROCESS_CWD = 16,     // the working directory is known; the root one if it has no bytes
};

// process is the record of a process, sent ahead of the first event that needs it.
// Behind it lie the names of what it runs and of its working directory, up to the root
// of its mount namespace, its arguments, the names of its control groups, and those of
// what its ancestors run. Names are as those of events.
struct process {
	u64 none; // 0, where the record of an event has its time
	u64 mark;
	u32 tgid;
	u32 vpid; // in its own namespace
	u32 sid;
	u32 tty; // major << 20 | minor; 0: none
	u32 mnt_ns;
	u32 pid_ns;
	u32 flags;
	u32 exe_bytes;
	u32 cwd_bytes;
	u32 argv_bytes;
	u32 argc; // the arguments are so many, and what follows is none; 0: all are
	u32 unused;
	u32 group_bytes;
	u32 group1_bytes;
	struct ancestor above[MAX_ANCESTORS];
};

// names is one path: `bytes` of data that hold `count` names, each ended by
// NUL, from the leaf to the filesystem's root. The leaf-side `in_mount` of
// them lie inside the mount that the actor used, and `below` - 1 beneath the
// nearest directory that is followed; 0: there is none.
struct names {
	u64 tree; // number of that directory
	u16 bytes;
	u16 count;
	u16 in_mount;
	u16 below;
};

// attributes are what stat(2) shows of a file and operations change. Ids are
// those of the initial user namespace.
struct attributes {
	u64 size;
	s64 mtime; // seconds since the Unix epoch
	s64 atime;
	u32 mtime_nsec;
	u32 atime_nsec;
	u32 uid;
	u32 gid;
	u32 nlink;
	u16 mode;
	u16 unused;
};

// record is one event. Behind it in the ring lie its data: the names of
// `path`, then those of `old`, then those of `view` (the mountpoint as the
// actor sees it, leaf to root), then those of `layer` (of overlayfs: of the directory
// of the upper layer, below which are the same names, or see FLAG_BENEATH), then the bytes of `text` (what a symlink points
// to, or the name of an extended attribute), then the entries of the ACL and of
// the one before.
struct record {
	u64 time; // CLOCK_BOOTTIME, nanoseconds
	u64 ino;
	u64 old_ino;
	u64 magic; // s_magic of the filesystem
	u64 real_ino; // of overlayfs: of the file in the upper layer
	u64 followed; // since when the kernel side follows it; 0: it does not; odd: since longer
	struct attributes now; // after the operation; of a refused one, as they are
	struct attributes before;
	u32 dev; // s_dev, the kernel's encoding: major << 20 | minor
	u32 flags;
	u32 given;     // flags, by operation: O_*, RENAME_*, PROT_*, XATTR_*, FS_*_FL
	u32 old_given; // chattr: S_* of the inode before
	u32 mount_id;  // 0: not known
	u16 op;
	u16 error; // errno; 0: it succeeded
	struct actor actor;
	struct names path;
	struct names old;
	struct names view;
	struct names layer;
	u16 text_bytes;
	u16 acl_bytes;
	u16 old_acl_bytes;
	u16 unused;
	u32 data_bytes;
	u32 real_dev; // s_dev, of real_ino
	u32 layer_dev; // s_dev of what `layer` is in
	u32 stat_dev; // as stat(2) shows it, where that is another than dev may be; 0: not known
};

// entry is one of an ACL, as both struct posix_acl and the extended attribute
// have it (include/uapi/linux/posix_acl_xattr.h).
struct acl_entry {
	u16 tag;
	u16 permissions;
	u32 id;
};

#define MAX_ACL 64 // entries that are told

// hook numbers the rows of counters; the order is that of hooks in Go.
enum hook {
	HOOK_OPEN,
	HOOK_MODIFY,
	HOOK_CLOSE,
	HOOK_UNLINK,
	HOOK_RENAME,
	HOOK_MKDIR,
	HOOK_LINK,
	HOOK_SYMLINK,
	HOOK_MKNOD,
	HOOK_STASH,
	HOOK_ATTRIB,
	HOOK_MMAP,
	HOOK_EXEC,
	HOOK_MOUNT,
	HOOK_PROCESS, // none of the kernel's: records of processes
	HOOKS,
};

// counters are per hook and CPU.
struct counters {
	u64 seen;
	u64 emitted;
	u64 ignored; // done by this process itself
	u64 failed;  // the operation failed
	u64 slow;    // the state had to be climbed for
	u64 lost_ring;
	u64 lost_map;
	u64 lost_scratch;
	u64 lost_outcome; // begun, and the end was not seen
};

// walks are the automaton's own counters, per CPU.
struct walks {
	u64 climbs;
	u64 retries;  // a rename overtook the climb
	u64 gave_up;  // answered "unknown"
	u64 bumps;    // of the epoch
	u64 no_scratch;
	u64 surveys;  // of the host's mounts
	u64 unsure;   // answered "unknown" because the mounts were newer than the seeds
};

// state is one state of the automaton: where a name without an edge leads.
struct state {
	u32 next;
	u32 flags;
};

enum state_flag {
	STATE_NAMED = 1,   // has edges, so the name matters
	STATE_ACCEPTS = 2, // a file in this state may match
};

// edge is the key of a transition: the beginning of the name and NUL, as
// watch.Key has it. Names that share a key share the target; Go decides exactly.
#define EDGE_NAME 64
struct edge {
	u32 from;
	char name[EDGE_NAME];
};

struct pair {
	u32 a; // a < b
	u32 b;
};

// seed is what the host's mounts make of a directory that they show: the states
// of the places where they are mounted, joined. It holds two, by the parity of
// the survey's number: the one in use, and the one that is being worked out.
struct sight {
	u32 survey; // that it is of
	u32 state;
};

struct seed {
	u64 ino;
	u32 dev;
	u32 generation;
	struct sight sights[2];
	u32 bind; // not the filesystem's root, or that of an overlay: its names make a state of their own
	u32 unused;
};

#endif
