// SPDX-License-Identifier: Apache-2.0

// Package bpf is the eBPF backend: programs attached to kernel functions tell
// of every change, from whatever mount, container or name it comes.
//
// The programs are in src, one file per operation; hooks.go is the table of
// what is attached where. The kernel side sends only what may be watched and
// may send too much: [watch.Set.Match] decides on the host path. Everything
// that is not known stays absent.
package bpf

//go:generate go tool bpf2go -cc clang-14 -strip llvm-strip-14 -target amd64,arm64 -type record -type names -type actor -type hook -type flag -type op -type state_flag -type attributes -type process -type ancestor -type process_flag trampolines src/fim.bpf.c -- -O2 -g -Wall -Werror -mcpu=v3 -fno-unroll-loops
//go:generate go tool bpf2go -cc clang-14 -strip llvm-strip-14 -target amd64,arm64 -no-global-types probes src/fim.bpf.c -- -O2 -g -Wall -Werror -mcpu=v3 -fno-unroll-loops -DPROBES
