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
	u32 arg[MAX_ARGS]; // of the parameters that the body reads, in its order
	u32 result; // number of parameters: where a fexit program finds the result
	u32 wide;   // the function returns an address, or an error number as one
};

// Where a context has its parameters: trampolines in a row, probes in the
// registers of the calling convention.
#if !defined(PROBES)
#define SLOT_OFFSET(i) (i * 8)
#elif defined(__TARGET_ARCH_x86)
#define SLOT_OFFSET(i)                                                                             \
	(i == 0 ? __builtin_offsetof(struct pt_regs, di)                                           \
	 : i == 1 ? __builtin_offsetof(struct pt_regs, si)                                         \
	 : i == 2 ? __builtin_offsetof(struct pt_regs, dx)                                         \
	 : i == 3 ? __builtin_offsetof(struct pt_regs, cx)                                         \
	 : i == 4 ? __builtin_offsetof(struct pt_regs, r8)                                         \
		  : __builtin_offsetof(struct pt_regs, r9))
#else
#define SLOT_OFFSET(i) (i * 8) // x0 to x7 come first
#endif

// read_context reads a context at a constant offset, which is the only way the
// verifier allows; without the assembly the compiler folds the cases of slot_of
// into one computed address.
#define read_context(ctx, offset)                                                                  \
	({                                                                                         \
		u64 value;                                                                         \
		asm("%0 = *(u64 *)(%1 + %2)" : "=r"(value) : "r"(ctx), "i"(offset));      \
		value;                                                                             \
	})

// slot_of reads the parameter at a position (of fexit also the result).
static __always_inline u64 slot_of(void *ctx, u32 position)
{
	switch (position) {
	case 0: return read_context(ctx, SLOT_OFFSET(0));
	case 1: return read_context(ctx, SLOT_OFFSET(1));
	case 2: return read_context(ctx, SLOT_OFFSET(2));
	case 3: return read_context(ctx, SLOT_OFFSET(3));
	case 4: return read_context(ctx, SLOT_OFFSET(4));
	case 5: return read_context(ctx, SLOT_OFFSET(5));
#ifndef PROBES
	case 6: return read_context(ctx, SLOT_OFFSET(6));
	case 7: return read_context(ctx, SLOT_OFFSET(7));
#endif
	}
	return 0;
}

static __always_inline void read_args(struct call *call, void *ctx, const volatile struct position *at, int count)
{
#pragma unroll
	for (int i = 0; i < count; i++)
		call->arg[i] = slot_of(ctx, at->arg[i]);
	call->wide = at->wide;
}

// error_of is the error number that the function returned, 0 if it succeeded.
static __always_inline int error_of(struct call *call)
{
	if (call->wide)
		return call->result >= (u64)-4095 ? -(int)call->result : 0;
	return -(int)call->result;
}

#ifndef PROBES

// SECURITY_HOOK: security_<hook>(params) calls the body.
#define SECURITY_HOOK(hook, body, params...) SECURITY_HOOK_AS(hook, hook, body, params)

// SECURITY_HOOK_AS: where the hook is called otherwise than the function.
#define SECURITY_HOOK_AS(name, hook, body, params...)                                              \
	SEC("lsm/" #name) int BPF_PROG(lsm_security_##hook, params)                                \
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

// NAMED_HOOK: when function is entered, body(first, the one before, the one before that)
// with the parameter that Go found by its name.
#define NAMED_HOOK(function, body)                                                                 \
	const volatile struct position function##_at = {};                                         \
	SEC("fentry/" #function) int fentry_##function(void *ctx)                                  \
	{                                                                                          \
		u32 at = function##_at.arg[0];                                                     \
                                                                                                   \
		body(slot_of(ctx, at), slot_of(ctx, at - 1), slot_of(ctx, at - 2));                \
		return 0;                                                                          \
	}

// TWIN_HOOK: beside a probe, where what it does must not be missed.
#define TWIN_HOOK(function, at_entry, at_exit, params...)                                          \
	SEC("fentry/" #function) int BPF_PROG(fentry_twin_##function, params)                      \
	{                                                                                          \
		at_entry;                                                                          \
		return 0;                                                                          \
	}                                                                                          \
	SEC("fexit/" #function) int fexit_twin_##function(void *ctx)                               \
	{                                                                                          \
		at_exit;                                                                           \
		return 0;                                                                          \
	}

// EXIT_HOOK: when function returned; only for functions with fixed parameters.
#define EXIT_HOOK(function, body)                                                                  \
	SEC("fexit/" #function) int fexit_##function(void *ctx)                                    \
	{                                                                                          \
		body;                                                                              \
		return 0;                                                                          \
	}

// OUTCOME_HOOK: the same, body(result) of a function with so many parameters.
#define OUTCOME_HOOK(function, count, body) EXIT_HOOK(function, body(slot_of(ctx, count)))

// RESULT_HOOK: when function returned, body(call) with the so many parameters
// that Go found.
#define RESULT_HOOK(function, count, body)                                                         \
	const volatile struct position function##_at = {};                                         \
	SEC("fexit/" #function) int fexit_##function(void *ctx)                                    \
	{                                                                                          \
		struct call call;                                                                  \
                                                                                                   \
		read_args(&call, ctx, &function##_at, count);                                      \
		call.result = slot_of(ctx, function##_at.result);                                  \
		body(&call);                                                                       \
		return 0;                                                                          \
	}

// OPERATION_HOOK: the same, of a function that does what phase one was about.
#define OPERATION_HOOK(function, count, body) RESULT_HOOK(function, count, body)

// AROUND_HOOK: the same, and before(call) when it is entered.
#define AROUND_HOOK(function, count, before, body)                                                 \
	RESULT_HOOK(function, count, body)                                                         \
	SEC("fentry/" #function) int fentry_##function(void *ctx)                                  \
	{                                                                                          \
		struct call call = {};                                                             \
                                                                                                   \
		read_args(&call, ctx, &function##_at, count);                                      \
		before(&call);                                                                     \
		return 0;                                                                          \
	}

#else

#define SECURITY_HOOK(hook, body, params...) ENTRY_HOOK(security_##hook, body, params)
#define SECURITY_HOOK_AS(name, hook, body, params...) ENTRY_HOOK(security_##hook, body, params)

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

#define OUTCOME_HOOK(function, count, body) EXIT_HOOK(function, body(PT_REGS_RC(ctx)))

#define TWIN_HOOK(function, at_entry, at_exit, params...)

#define NAMED_HOOK(function, body)                                                                 \
	const volatile struct position function##_at = {};                                         \
	SEC("kprobe/" #function) int kprobe_##function(struct pt_regs *ctx)                        \
	{                                                                                          \
		u32 at = function##_at.arg[0];                                                     \
                                                                                                   \
		body(slot_of(ctx, at), slot_of(ctx, at - 1), slot_of(ctx, at - 2));                \
		return 0;                                                                          \
	}

// A return probe sees no arguments: the entry keeps them. Where that was skipped, alone().
#define RETURN_HOOK(function, count, before, body, alone)                                          \
	const volatile struct position function##_at = {};                                         \
	SEC("kprobe/" #function) int kprobe_##function(struct pt_regs *ctx)                        \
	{                                                                                          \
		struct call call = {};                                                             \
                                                                                                   \
		read_args(&call, ctx, &function##_at, count);                                      \
		push_frame(PT_REGS_SP(ctx), &call);                                                \
		before(&call);                                                                     \
		return 0;                                                                          \
	}                                                                                          \
	SEC("kretprobe/" #function) int kretprobe_##function(struct pt_regs *ctx)                  \
	{                                                                                          \
		struct call call;                                                                  \
                                                                                                   \
		if (pop_frame(PT_REGS_SP(ctx), &call)) {                                           \
			call.result = PT_REGS_RC(ctx);                                             \
			body(&call);                                                               \
		} else {                                                                           \
			alone();                                                                   \
		}                                                                                  \
		return 0;                                                                          \
	}

static __always_inline void no_entry(struct call *call) {}

static __always_inline void no_frame(void) {}

#define AROUND_HOOK(function, count, before, body) RETURN_HOOK(function, count, before, body, no_frame)
#define RESULT_HOOK(function, count, body) AROUND_HOOK(function, count, no_entry, body)
#define OPERATION_HOOK(function, count, body) RETURN_HOOK(function, count, enters, body, returns_only)

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

static __always_inline void push_frame(u64 sp, struct call *call)
{
	struct frame_key key = frame_key(sp);

	bpf_map_update_elem(&frames, &key, call, BPF_ANY);
}

static __always_inline bool pop_frame(u64 sp, struct call *call)
{
	struct frame_key key = frame_key(sp - CALL_PUSHES);
	struct call *kept = bpf_map_lookup_elem(&frames, &key);

	if (!kept)
		return false;
	*call = *kept;
	bpf_map_delete_elem(&frames, &key);
	return true;
}

#endif

#endif
