// SPDX-License-Identifier: Apache-2.0

//go:build !fim_nobody

package bpf

// nobody is the seam for builds with the tag fim_nobody, whose events do not tell who acts.
const nobody = 0
