// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/falco-fim/fim/event"
)

// appendName appends a name as a person may safely see it: one that is empty is
// a dash, what a terminal would obey or a reader would be misled by stands as
// an escape. Beyond [event.Escape] these are bytes that are not UTF-8 (\xNN) and
// the runes that do not print, such as those that turn the direction of text
// (\uNNNN).
func appendName(dst, name []byte) []byte {
	if len(name) == 0 {
		return append(dst, '-')
	}
	name = event.Escape(nil, name)
	for len(name) > 0 {
		r, n := utf8.DecodeRune(name)
		switch {
		case r == utf8.RuneError && n == 1:
			dst = fmt.Appendf(dst, `\x%02x`, name[0])
		case unicode.IsPrint(r):
			dst = append(dst, name[:n]...)
		case r > 0xffff:
			dst = fmt.Appendf(dst, `\U%08x`, r)
		default:
			dst = fmt.Appendf(dst, `\u%04x`, r)
		}
		name = name[n:]
	}
	return dst
}

// displayWidth is how many columns of a terminal text takes, as far as can be
// known: terminals differ about emoji.
func displayWidth(text []byte) int {
	n := 0
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		n += runeWidth(r)
		text = text[size:]
	}
	return n
}

func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana),
		r >= 0x3000 && r <= 0x303e, r >= 0xff01 && r <= 0xff60, r >= 0x1f300 && r <= 0x1faff:
		return 2
	}
	return 1
}
