// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Unescape turns each \xNN of a script's word into that byte. A backslash that
// stands for itself is \x5c.
func Unescape(word string) (string, error) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(word, `\`)
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		if len(after) < 3 || after[0] != 'x' {
			return "", fmt.Errorf(`%q: a backslash begins \xNN`, word)
		}
		n, err := strconv.ParseUint(after[1:3], 16, 8)
		if err != nil {
			return "", fmt.Errorf(`%q: a backslash begins \xNN: %w`, word, err)
		}
		b.WriteByte(byte(n))
		word = after[3:]
	}
}

// Escape is the inverse of [Unescape], for messages: bytes that a terminal
// would not show as they are, and spaces, become \xNN.
func Escape(name string) string {
	var b strings.Builder
	for len(name) > 0 {
		r, n := utf8.DecodeRuneInString(name)
		if r == '\\' || r == utf8.RuneError && n == 1 || !unicode.IsGraphic(r) || unicode.IsSpace(r) {
			for i := range n {
				fmt.Fprintf(&b, `\x%02x`, name[i])
			}
		} else {
			b.WriteString(name[:n])
		}
		name = name[n:]
	}
	return b.String()
}
