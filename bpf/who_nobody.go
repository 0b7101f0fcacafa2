// SPDX-License-Identifier: Apache-2.0

//go:build fim_nobody

package bpf

// nobody has events not tell who acts. test/bench/kernel builds with the tag fim_nobody
// to measure what telling it costs.
const nobody = 1
