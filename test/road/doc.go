// SPDX-License-Identifier: Apache-2.0

// Package road drives an event the whole way, in a stock kernel: a process in
// its own mount namespace writes to a bind-mounted file, the kernel side sees
// it, libfim.so hands it to libsinsp, a condition matches, and the output names
// the file as the host and as the process knew it.
//
// It holds tests only. They boot a virtual machine: test/vm/setup.sh brings what
// that needs.
package road
