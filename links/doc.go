// SPDX-License-Identifier: Apache-2.0

// Package links knows the watched files that have several names (hard links), so
// that what is done through a name elsewhere is told of them too.
//
// The names come from events, in the order in which things happened, and for those
// that were there before from a walk through the watched trees ([Walk]). So a name
// in the [Table] was true when the event that is looked at happened. Two things may
// surprise. Where events were lost a name is looked up again before it counts. And
// what a walk finds is looked up again when it is taken into the table: between the
// two the name may have gone, with its event told already.
package links
