// SPDX-License-Identifier: Apache-2.0

package watch

import "fmt"

// Braces are taken apart when patterns are compiled: an alternative that is a
// plain name can then be looked up instead of tried, the kernel can tell it from
// its neighbours, and matching needs no memory, which doublestar takes for each
// alternative that it tries.

// token returns the length of the first token of s, which is not empty: an
// escape, a class or one byte; 0 for an escape or a class that does not end.
func token(s string) int {
	switch s[0] {
	case '\\':
		if len(s) < 2 {
			return 0
		}
		return 2
	case '[':
		return class(s)
	}
	return 1
}

// class returns the length of the class that s begins with, 0 if it does not
// end or is empty.
func class(s string) int {
	i := 1
	if i < len(s) && (s[i] == '^' || s[i] == '!') {
		i++
	}
	for first := i; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == ']' && i > first:
			return i + 1
		case s[i] == ']':
			return 0
		}
	}
	return 0
}

// validate says what is wrong with the brackets and escapes of a component.
func validate(text string) error {
	depth := 0
	for rest := text; rest != ""; {
		n := token(rest)
		switch {
		case n == 0 && rest[0] == '\\':
			return fmt.Errorf("its component %q ends in a backslash that escapes nothing: write \\\\ for a backslash", text)
		case n == 0:
			return fmt.Errorf("its component %q has a [ that is not closed or closes at once: write \\[ for the character (a class cannot hold a slash)", text)
		case rest[0] == '{':
			depth++
		case rest[0] == '}':
			depth--
		}
		if depth < 0 {
			return fmt.Errorf("its component %q has a } that nothing opens: write \\} for the character (braces cannot hold a slash)", text)
		}
		rest = rest[n:]
	}
	if depth > 0 {
		return fmt.Errorf("its component %q has a { that is not closed: write \\{ for the character (braces cannot hold a slash: write two patterns)", text)
	}
	return nil
}

// expand returns the components without braces that a valid component stands
// for, and stops soon after maxSequences of them.
func expand(text string) []string {
	before, alternatives, after := cutBraces(text)
	if alternatives == nil {
		return []string{text}
	}
	var all []string
	for _, alternative := range alternatives {
		if all = append(all, expand(before+alternative+after)...); len(all) > maxSequences {
			break
		}
	}
	return all
}

// cutBraces cuts a valid component at its first braces. Without braces there
// are no alternatives.
func cutBraces(text string) (before string, alternatives []string, after string) {
	depth, from := 0, 0
	for i := 0; i < len(text); i += token(text[i:]) {
		switch text[i] {
		case '{':
			if depth++; depth == 1 {
				before, from = text[:i], i+1
			}
		case ',':
			if depth == 1 {
				alternatives = append(alternatives, text[from:i])
				from = i + 1
			}
		case '}':
			if depth--; depth == 0 {
				return before, append(alternatives, text[from:i]), text[i+1:]
			}
		}
	}
	return text, nil, ""
}
