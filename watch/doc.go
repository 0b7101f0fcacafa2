// SPDX-License-Identifier: Apache-2.0

// Package watch decides which paths are watched. It turns patterns into an
// exact matcher for Go ([Set.Match]) and into an automaton over path components
// for the kernel ([Set.DFA]). It is pure: no file is ever looked at.
//
// # Patterns
//
// This is the definition of the grammar; there is no other.
//
// A pattern is compared with the absolute path of a file on the host, component
// by component. A component of a pattern is
//
//	name      that name, byte for byte
//	*         in a component: any characters, also none
//	?         in a component: any one character
//	[a-z]     in a component: one character of the class; [^a-z] or [!a-z] one
//	          that is not in it
//	{a,b}     in a component: either alternative; may nest, may hold wildcards
//	\c        in a component: the character c without its special meaning
//	**        as a whole component: any number of components, also none
//
// Nothing but ** ever matches a slash. Inside a component the rules are those
// of github.com/bmatcuk/doublestar; a leading dot is a character like any other.
//
// What a pattern covers depends on its last component. Where that has no
// wildcard (* ? [ or **), the pattern means the file or directory of that path
// and everything below it: /etc covers /etc and /etc/ssh/sshd_config, and never
// /etcfoo. Where it has one, the pattern means what it says and no more: /etc/*
// covers the direct children of /etc, /etc/** and /etc the same paths. Braces
// are no wildcard: /etc/{ssh,pam.d} is short for /etc/ssh and /etc/pam.d.
//
// With [Options].Direct an include whose last component has no wildcard covers
// the path itself and its direct children only. Excludes stay as they are.
//
// An exclude has the same grammar and beats every include.
//
// # What is refused
//
// [Compile] refuses, by name and with advice, a pattern that is empty, relative,
// not valid UTF-8, longer than 4,096 bytes or that holds a NUL byte; one that is
// the whole host (/, /** and whatever else consists of * and ** with at least
// one **); the components . and ..; an unclosed [ or {, an unopened }, an empty
// class, a backslash that escapes nothing; a slash inside braces or a class; **
// as a part of a component, as in a**b; alternatives without a name, as in {};
// and braces that stand for more than 256 paths.
//
// Slashes at the end are dropped, several in a row count as one.
//
// # Which pattern names an event
//
// Where several includes cover a path, [Set.Match] returns the name of the most
// specific: the one with more components without a wildcard, then the longer
// one in bytes, then the one that comes first in the list.
package watch
