// SPDX-License-Identifier: Apache-2.0

// Package vm runs the scripts of test/scenario on the eBPF backend, inside
// virtual machines with the kernels that users have. The machine that tests
// run on usually refuses BPF programs; a guest never does.
//
// The scripts are the same ones, unchanged: the guest gets the test binary of
// test/scenario and the two programs that it needs. What it says of each script
// comes back as a test of that name:
//
//	TestScenariosOnKernels/6.12/tmpfs/rename-over
//
// Flags (of go test ./test/scenario/vm):
//
//	-kernel 6.12   that kernel alone
//	-scripts RE    those scripts alone, on every filesystem of the plan
//	-whole         every script on every kernel
//	-all           every script on every kernel and filesystem
//
// Scripts that watch with the same flags share one fim, see crowd in test/scenario:
// to load the programs takes an emulated machine some eight seconds, a script one.
//
// The tests of package bpf run in guests too, as TestProgramsOnKernels/6.12/….
//
// Guests of the scripts have one processor. The emulator runs a processor per thread, and a
// kernel that patches its own code (which attaching a program is) while another
// emulated processor executes it can fault there; no hardware does.
package vm
