// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Who acts. Each record has what may change from one operation to the next, and a
// mark for the rest: what the process runs, where, and below whom. That is told once,
// by a record of its own ahead of the first one with that mark, so a process that is
// gone when Go reads is known all the same. A mark is a sum over what tells that apart
// (struct origin): a new image, working directory, control group, namespace, session or
// parent makes another one, and so does a change of the mounts that the process sees, or
// a directory renamed anywhere, which may be above it.

#ifndef FIM_PROCESS_H
#define FIM_PROCESS_H

#include "trail.h"

// KNOW_TASK spares the verifier from asking of each pointer that is read from a task
// whether it can be trusted: for that Linux 6.2 to 6.18 search all of the kernel's
// types four times.
#define KNOW_TASK(task)                                                                            \
	({                                                                                         \
		if (bpf_rdonly_cast)                                                               \
			task = bpf_rdonly_cast(task, bpf_core_type_id_kernel(struct task_struct)); \
	})

// How a name is copied: by the helper, or in two words where the verifier knows the task.
#define COMM_BY_HELPER(to, task) bpf_probe_read_kernel(to, COMM, (task)->comm)
#define COMM_BY_WORDS(to, task)                                                                    \
	({                                                                                         \
		volatile u64 *words = (void *)(task)->comm;                                        \
                                                                                                   \
		((u64 *)(to))[0] = words[0];                                                       \
		((u64 *)(to))[1] = words[1];                                                       \
	})

// FILL_ACTOR tells who acts, and notes what makes the mark; get is how members of the
// task are read.
#define FILL_ACTOR(a, from, task, get, copy_comm)                                                  \
	({                                                                                         \
		struct task_struct *leader = get(task, group_leader);                              \
		struct task_struct *parent = get(leader, real_parent);                             \
		struct signal_struct *signal = get(task, signal);                                  \
		struct fs_struct *fs = get(task, fs);                                              \
		const struct cred *cred = get(task, real_cred); /* not what it borrows */          \
                                                                                                   \
		(a)->start = get(leader, start_boottime);                                          \
		(a)->ppid = get(parent, tgid);                                                     \
		(a)->uid = get(cred, euid.val);                                                    \
		(a)->gid = get(cred, egid.val);                                                    \
		(a)->ruid = get(cred, uid.val);                                                    \
		(a)->rgid = get(cred, gid.val);                                                    \
		(a)->loginuid = ~0u;                                                               \
		if (bpf_core_field_exists((task)->loginuid))                                       \
			(a)->loginuid = get(task, loginuid.val);                                   \
		copy_comm((a)->comm, leader);                                                      \
		if (leader != (task))                                                              \
			copy_comm((a)->thread_comm, task);                                         \
		(from)->image = get(task, self_exec_id);                                           \
		(from)->pwd = (u64)get(fs, pwd.dentry);                                            \
		(from)->pwd_ino = get(fs, pwd.dentry, d_inode, i_ino);                             \
		(from)->pwd_generation = get(fs, pwd.dentry, d_inode, i_generation);               \
		(from)->pwd_mnt = (u64)get(fs, pwd.mnt);                                           \
		(from)->mnt_ns = get(task, nsproxy, mnt_ns, ns.inum);                              \
		(from)->mounts = get(task, nsproxy, mnt_ns, event);                                \
		(from)->groups = (u64)get(task, cgroups);                                          \
		(from)->group = get(task, cgroups, dfl_cgrp, kn, id);                              \
		(from)->session = (u64)get(signal, pids[PIDTYPE_SID]);                             \
		(from)->terminal = (u64)get(signal, tty);                                          \
		(from)->terminal_index = get(signal, tty, index);                                  \
		(from)->parent = (u64)parent;                                                      \
		(from)->parent_image = get(parent, self_exec_id);                                  \
		(from)->grandparent = (u64)get(parent, real_parent);                               \
		(from)->root = (u64)get(fs, root.dentry);                                          \
		(from)->root_mnt = (u64)get(fs, root.mnt);                                         \
	})

static __always_inline u64 blend(u64 sum, u64 value)
{
	return sum * 0x9e3779b97f4a7c15ull + value; // as in spread
}

// mark_of is the mark of what was noted. It lies in memory because the verifier lets
// nobody calculate with a pointer that was not read anew. A task that is ending has no
// directories left, and no mark.
static __always_inline u64 mark_of(struct actor *a, volatile struct origin *from)
{
	u64 sum = blend(a->start, a->tgid), pwd = from->pwd;

	sum = blend(sum, from->image);
	sum = blend(sum, pwd);
	sum = blend(sum, from->pwd_ino);
	sum = blend(sum, from->pwd_generation);
	sum = blend(sum, from->pwd_mnt);
	sum = blend(sum, from->mnt_ns);
	sum = blend(sum, from->mounts);
	sum = blend(sum, from->groups);
	sum = blend(sum, from->group);
	sum = blend(sum, from->session);
	sum = blend(sum, from->terminal);
	sum = blend(sum, from->terminal_index);
	sum = blend(sum, from->parent);
	sum = blend(sum, from->parent_image);
	sum = blend(sum, from->grandparent);
	return pwd ? mix(sum, latest(control.epoch)) | 1 : 0;
}

#define HAS_TASK_BTF bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)

// fill_actor reads the task directly where the kernel allows it (5.11+).
static __always_inline void fill_actor(struct actor *a, struct origin *from)
{
	struct task_struct *task;
	u64 id = bpf_get_current_pid_tgid();

	a->tgid = id >> 32;
	a->tid = id;
	if (HAS_TASK_BTF) {
		task = bpf_get_current_task_btf();
		KNOW_TASK(task);
		FILL_ACTOR(a, from, task, ___arrow, COMM_BY_WORDS);
	} else {
		task = (void *)bpf_get_current_task();
		FILL_ACTOR(a, from, task, BPF_CORE_READ, COMM_BY_HELPER);
	}
}

// try_whole makes one attempt to write the names of trail.dentry up to the root of its
// mount namespace, and says whether they are of one moment. A detached mount leads
// nowhere.
__noinline int try_whole(u32 slot)
{
	struct scratch *s = scratch_at(slot);
	struct trail *t;
	struct mount *m;
	u32 seq, mounts;

	if (!s)
		return 1;
	t = &s->trail;
	seq = settled_seq(1);
	mounts = mount_seq();
	t->at = t->dentry;
	enter_mount(t, t->via);
	t->root = t->root_mnt = 0;
	t->used = t->start;
	t->count = 0;
	t->end = END_NONE;
	for (int i = 0; i < ROUNDS; i++)
		if (!write_more_view(slot))
			break;
	m = mount_of((struct vfsmount *)t->mnt);
	if (!BPF_CORE_READ(m, mnt_ns))
		t->end = END_CUT;
	return !((seq | mounts) & 1) && rename_seq() == seq && mount_seq() == mounts;
}

// write_place writes the path of what lies at a dentry on a mount, and returns its
// bytes, none of a root directory. trail.end is END_UNATTACHED if it is known.
static __always_inline u32 write_place(u32 slot, struct scratch *s, struct path *path)
{
	struct trail *t = &s->trail;
	u32 bytes;
	int i;

	t->dentry = (u64)BPF_CORE_READ(path, dentry);
	t->via = (u64)BPF_CORE_READ(path, mnt);
	t->end = END_NONE;
	if (!t->dentry || t->start > DATA_SIZE - MAX_PATH)
		return 0;
	for (i = 0; i < PATH_TRIES; i++)
		if (try_whole(slot))
			break;
	if (i == PATH_TRIES)
		t->end = END_CUT;
	if (t->end != END_UNATTACHED)
		return 0;
	bytes = t->used - t->start;
	t->start = t->used;
	return bytes;
}

// write_exe writes the path of what a process runs. Another than the current one may
// end or execute meanwhile, and its memory be another's.
static __always_inline u32 write_exe(u32 slot, struct scratch *s, struct task_struct *task)
{
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	struct file *file = BPF_CORE_READ(mm, exe_file);
	u32 start = s->trail.start, bytes;

	if (!file)
		return 0;
	bytes = write_place(slot, s, (void *)file + bpf_core_field_offset(struct file, f_path));
	if (BPF_CORE_READ(task, mm) == mm && BPF_CORE_READ(mm, exe_file) == file)
		return bytes;
	s->trail.start = start;
	return 0;
}

// find_argv finds where the arguments lie in the process's memory, and how many bytes
// they have. While it is executing (exec.h) the kernel has not noted that yet; they are
// then the first argc strings there.
static __always_inline u64 find_argv(struct process *p, struct mm_struct *mm, u64 *size)
{
	u64 from = BPF_CORE_READ(mm, arg_start);
	u32 tid = bpf_get_current_pid_tgid();
	struct linux_binprm *bprm;
	struct exec *exec;

	*size = BPF_CORE_READ(mm, arg_end) - from;
	if (from)
		return from;
	exec = bpf_map_lookup_elem(&execs, &tid);
	if (!exec || !exec->bprm)
		return 0;
	bprm = (void *)exec->bprm;
	from = BPF_CORE_READ(bprm, p);
	*size = BPF_CORE_READ(bprm, exec) - from;
	p->argc = BPF_CORE_READ(bprm, argc);
	return from;
}

// write_argv writes the arguments as they are now. Memory that is not there, or that
// the process cannot read itself, is not read.
static __always_inline void write_argv(struct scratch *s, struct process *p, struct task_struct *task)
{
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	u32 at = s->trail.start;
	u64 from, size;

	if (!mm)
		return;
	from = find_argv(p, mm, &size);
	if (size > ARGV_SPACE) {
		p->flags |= PROCESS_ARGV_CUT;
		size = ARGV_SPACE;
	}
	if (!from || at > DATA_SIZE - ARGV_SPACE ||
	    bpf_probe_read_user(&s->data[at & (DATA_SIZE - 1)], size, (void *)from))
		return;
	p->flags |= PROCESS_ARGV;
	p->argv_bytes = size;
	s->trail.start = at + size;
}

// kernfs_above is the directory that a node lies in.
static __always_inline struct kernfs_node *kernfs_above(struct kernfs_node *node)
{
	struct kernfs_node___rcu *now = (void *)node;

	if (bpf_core_field_exists(now->__parent)) // 6.15+
		return BPF_CORE_READ(now, __parent);
	return BPF_CORE_READ(node, parent);
}

// write_group_name appends the name of the control group at trail.at.
__noinline int write_group_name(u32 slot)
{
	struct scratch *s = scratch_at(slot);
	struct kernfs_node *node, *above;
	u32 used;
	long n;

	if (!s)
		return 0;
	node = (void *)s->trail.at;
	above = kernfs_above(node);
	used = s->trail.used;
	if (!above || used > DATA_SIZE - NAME_SPACE) {
		s->trail.end = above ? END_CUT : END_ROOT;
		return 0;
	}
	n = bpf_probe_read_kernel_str(&s->data[used & (DATA_SIZE - 1)], NAME_SPACE, BPF_CORE_READ(node, name));
	if (n <= 0) {
		s->trail.end = END_CUT;
		return 0;
	}
	s->trail.used = used + n;
	s->trail.at = (u64)above;
	return 1;
}

REPEAT(write_group_names, write_group_name, 64)

// write_group writes the path of a control group. The root's has no names; what says
// that it is known is the flag.
static __always_inline u32 write_group(u32 slot, struct scratch *s, struct process *p, struct cgroup *group, u32 flag)
{
	struct trail *t = &s->trail;
	u32 bytes;

	t->at = (u64)BPF_CORE_READ(group, kn);
	t->used = t->start;
	t->end = END_NONE;
	if (!t->at)
		return 0;
	write_group_names(slot);
	if (t->end != END_ROOT)
		return 0;
	p->flags |= flag;
	bytes = t->used - t->start;
	t->start = t->used;
	return bytes;
}

// first_group is the control group in a hierarchy of version 1 that all who make
// groups use.
static __always_inline struct cgroup *first_group(struct css_set *set)
{
	struct cgroup_subsys_state *state = NULL;
	u64 at = bpf_core_field_offset(struct css_set, subsys);

	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id))
		return NULL;
	at += bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id) * sizeof(state);
	bpf_probe_read_kernel(&state, sizeof(state), (void *)set + at);
	return BPF_CORE_READ(state, cgroup);
}

static __always_inline void write_groups(u32 slot, struct scratch *s, struct process *p, struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct cgroup *second = BPF_CORE_READ(set, dfl_cgrp), *first = first_group(set);

	p->group_bytes = write_group(slot, s, p, second, PROCESS_GROUP);
	if (first && first != second)
		p->group1_bytes = write_group(slot, s, p, first, PROCESS_GROUP1);
}

// tell_ids tells of the process in its namespaces, session and terminal.
static __always_inline void tell_ids(struct process *p, struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, group_leader, thread_pid);
	struct signal_struct *signal = BPF_CORE_READ(task, signal);
	struct tty_struct *tty = BPF_CORE_READ(signal, tty);
	struct upid *innermost = (void *)pid + bpf_core_field_offset(struct pid, numbers) +
				 BPF_CORE_READ(pid, level) * bpf_core_type_size(struct upid);
	struct tty_driver *driver;

	p->vpid = BPF_CORE_READ(innermost, nr);
	p->pid_ns = BPF_CORE_READ(innermost, ns, ns.inum);
	p->mnt_ns = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
	p->sid = BPF_CORE_READ(signal, pids[PIDTYPE_SID], numbers[0].nr);
	if (tty) {
		driver = BPF_CORE_READ(tty, driver);
		p->tty = BPF_CORE_READ(driver, major) << 20 |
			 (u32)(BPF_CORE_READ(driver, minor_start) + BPF_CORE_READ(tty, index));
	}
}

// write_ancestors tells of the processes above, the parent first.
static __always_inline void write_ancestors(u32 slot, struct scratch *s, struct process *p, struct task_struct *task)
{
	struct task_struct *at = BPF_CORE_READ(task, group_leader);

	for (int i = 0; i < MAX_ANCESTORS; i++) {
		struct ancestor *a = &p->above[i];

		at = BPF_CORE_READ(at, real_parent, group_leader);
		a->tgid = BPF_CORE_READ(at, tgid);
		if (!a->tgid)
			break;
		a->start = BPF_CORE_READ(at, start_boottime);
		bpf_probe_read_kernel(a->comm, COMM, at->comm);
		a->exe_bytes = write_exe(slot, s, at);
	}
}

// introduce sends a record of the current process.
__noinline int introduce(u32 slot)
{
	struct scratch *s = scratch_at(slot);
	struct task_struct *task = (void *)bpf_get_current_task();
	struct counters *counted = counters(HOOK_PROCESS);
	struct fs_struct *fs = BPF_CORE_READ(task, fs);
	struct process *p;
	u32 bytes;
	u64 mark, *told;

	if (!s || !counted)
		return 0;
	count(counted->seen);
	p = (void *)s->data;
	__builtin_memset(p, 0, sizeof(*p));
	s->trail.start = sizeof(*p);
	p->tgid = s->record.actor.tgid;
	mark = p->mark = s->record.actor.mark;
	tell_ids(p, task);
	p->exe_bytes = write_exe(slot, s, task);
	p->cwd_bytes = write_place(slot, s, (void *)fs + bpf_core_field_offset(struct fs_struct, pwd));
	if (s->trail.end == END_UNATTACHED)
		p->flags |= PROCESS_CWD;
	write_argv(s, p, task);
	write_groups(slot, s, p, task);
	write_ancestors(slot, s, p, task);
	bytes = s->trail.start;
	s->trail.start = 0;
	if (bytes > DATA_SIZE)
		bytes = DATA_SIZE;
	if (bpf_ringbuf_output(&ring, p, bytes, latest(attentive) ? BPF_RB_NO_WAKEUP : 0)) {
		count(counted->lost_ring);
		return 0;
	}
	count(counted->emitted);
	if (!(p->flags & PROCESS_ARGV))
		count(counted->failed);
	told = introduced_at(mark);
	if (told)
		latest(*told) = mark;
	return 0;
}

// For measurements only: nobody is told.
const volatile u32 nobody = 0;

// fill_root is what paths need of who acts.
static __always_inline void fill_root(struct origin *from)
{
	struct task_struct *task;

	if (!HAS_TASK_BTF)
		return;
	task = bpf_get_current_task_btf();
	KNOW_TASK(task);
	from->root = (u64)task->fs->root.dentry;
	from->root_mnt = (u64)task->fs->root.mnt;
}

// fill_who tells who acts. Not inlined: a global function the verifier passes once.
__noinline int fill_who(u32 slot)
{
	struct scratch *s = scratch_at(slot);
	struct actor *a;
	u64 *told;

	if (!s)
		return 0;
	a = &s->record.actor;
	if (nobody) {
		fill_root(&s->origin);
	} else {
		fill_actor(a, &s->origin);
		a->mark = mark_of(a, &s->origin);
		told = introduced_at(a->mark);
		if (a->mark && told && latest(*told) != a->mark)
			introduce(slot);
	}
	s->trail.root = s->origin.root;
	s->trail.root_mnt = s->origin.root_mnt;
	return 0;
}

#endif
