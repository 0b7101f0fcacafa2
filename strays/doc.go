// SPDX-License-Identifier: Apache-2.0

// Package strays knows what was moved out of the watched places, so that it goes on
// being told of, wherever it is moved.
//
// Such a thing is known by its number, and what patterns say of it by the path at which
// it would lie had it never been moved out: its origin. Of a directory so is all that
// lies beneath. What is unmoved beneath /w/d, which is now /o/x, is decided by /w/d. So
// paths that change above it matter to nobody.
//
// Events come in the order in which things happened, so the [Table] is true for the
// one that is looked at. That a number still is the same thing's the kernel side tells
// with each event.
package strays
