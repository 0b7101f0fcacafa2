// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// How one body becomes several programs. Go loads exactly one of them per hook:
//
//   lsm     where the bpf LSM is on: nothing is ever skipped
//   fentry  where the kernel cannot preempt: else the trampoline's guard skips
//           every call while a task that was preempted inside holds it
//   kprobe  everywhere else: slower, never skipped
//
// The object "trampolines" holds the first two, "probes" (-DPROBES) the third.

#ifndef FIM_HOOK_H
#define FIM_HOOK_H

#include "stash.h"

// Positions of parameters differ between kernels (vfs_mkdir got a user
// namespace, then an idmap, in front), so Go looks the names up in the
// kernel's BTF and sets these before loading. Branches for other positions
// are dead code to the verifier.
struct position {
	u32 first;  // of the parameter that is read first
	u32 second; // of the second, if any
	u32 result; // number of parameters: where a fexit program finds the result
	u32 pointer; // the function returns a pointer, to the dentry it made
};

#define MAX_PARAMETERS 8

#ifndef PROBES

// The verifier types a context slot only when it is read at a constant offset;
// without the assembly the compiler folds the cases into one computed address.
#define SLOT(i)                                                                                    \
	case i:                                                                                    \
		asm volatile("%0 = *(u64 *)(%1 + " #i " * 8)" : "=r"(value) : "r"(ctx));           \
		break;

static __always_inline u64 slot_of(void *ctx, u32 position)
{
	u64 value = 0;

	switch (position) {
	SLOT(0) SLOT(1) SLOT(2) SLOT(3) SLOT(4) SLOT(5) SLOT(6) SLOT(7)
	}
	return value;
}

// SECURITY_HOOK: security_<hook>(params) calls the body.
#define SECURITY_HOOK(hook, body, params...)                                                       \
	SEC("lsm/" #hook) int BPF_PROG(lsm_security_##hook, params)                                \
	{                                                                                          \
		body;                                                                              \
		return 0;                                                                          \
	}                                                                                          \
	ENTRY_HOOK(security_##hook, body, params)

// ENTRY_HOOK: when function(params) is entered.
#define ENTRY_HOOK(function, body, params...)                                                      \
	SEC("fentry/" #function) int BPF_PROG(fentry_##function, params)                           \
	{                                                                                          \
		body;                                                                              \
		return 0;                                                                          \
	}

// EXIT_HOOK: when function returned; only for functions with fixed parameters.
#define EXIT_HOOK(function, body)                                                                  \
	SEC("fexit/" #function) int fexit_##function(void *ctx)                                    \
	{                                                                                          \
		body;                                                                              \
		return 0;                                                                          \
	}

// RESULT_HOOK: when function returned, body(first, second, result) with the
// parameters that Go found.
#define RESULT_HOOK(function, body)                                                                \
	const volatile struct position function##_at = {};                                         \
	SEC("fexit/" #function) int fexit_##function(void *ctx)                                    \
	{                                                                                          \
		body(slot_of(ctx, function##_at.first), slot_of(ctx, function##_at.second),        \
		     slot_of(ctx, function##_at.result), function##_at.pointer);                   \
		return 0;                                                                          \
	}

#else

#define SECURITY_HOOK(hook, body, params...) ENTRY_HOOK(security_##hook, body, params)

#define ENTRY_HOOK(function, body, params...)                                                      \
	SEC("kprobe/" #function) int BPF_KPROBE(kprobe_##function, params)                         \
	{                                                                                          \
		body;                                                                              \
		return 0;                                                                          \
	}

#define EXIT_HOOK(function, body)                                                                  \
	SEC("kretprobe/" #function) int kretprobe_##function(struct pt_regs *ctx)                  \
	{                                                                                          \
		body;                                                                              \
		return 0;                                                                          \
	}

static __always_inline u64 slot_of(struct pt_regs *ctx, u32 position)
{
	switch (position) {
	case 0: return PT_REGS_PARM1(ctx);
	case 1: return PT_REGS_PARM2(ctx);
	case 2: return PT_REGS_PARM3(ctx);
	case 3: return PT_REGS_PARM4(ctx);
	case 4: return PT_REGS_PARM5(ctx);
	}
	return 0;
}

// A return probe sees no arguments: the entry keeps them.
#define RESULT_HOOK(function, body)                                                                \
	const volatile struct position function##_at = {};                                         \
	SEC("kprobe/" #function) int kprobe_##function(struct pt_regs *ctx)                        \
	{                                                                                          \
		push_frame(PT_REGS_SP(ctx), slot_of(ctx, function##_at.first),                     \
			   slot_of(ctx, function##_at.second));                                    \
		return 0;                                                                          \
	}                                                                                          \
	SEC("kretprobe/" #function) int kretprobe_##function(struct pt_regs *ctx)                  \
	{                                                                                          \
		struct frame frame;                                                                \
                                                                                                   \
		if (pop_frame(PT_REGS_SP(ctx), &frame))                                            \
			body(frame.args[0], frame.args[1], PT_REGS_RC(ctx), function##_at.pointer); \
		return 0;                                                                          \
	}

// Where the architecture's call pushes the return address, the stack pointer
// after the return lies one word above that at the entry.
#if defined(__TARGET_ARCH_x86)
#define CALL_PUSHES 8
#else
#define CALL_PUSHES 0
#endif

static __always_inline struct frame_key frame_key(u64 sp)
{
	struct frame_key key = {sp, (u32)bpf_get_current_pid_tgid()};

	return key;
}

static __always_inline void push_frame(u64 sp, u64 first, u64 second)
{
	struct frame_key key = frame_key(sp);
	struct frame frame = {{first, second}};

	bpf_map_update_elem(&frames, &key, &frame, BPF_ANY);
}

static __always_inline bool pop_frame(u64 sp, struct frame *frame)
{
	struct frame_key key = frame_key(sp - CALL_PUSHES);
	struct frame *kept = bpf_map_lookup_elem(&frames, &key);

	if (!kept)
		return false;
	*frame = *kept;
	bpf_map_delete_elem(&frames, &key);
	return true;
}

#endif

#endif
