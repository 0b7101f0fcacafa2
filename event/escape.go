// SPDX-License-Identifier: Apache-2.0

package event

import "unicode/utf8"

// isControl says whether a terminal or a log reader may obey r instead of
// showing it: C0, DEL and C1.
func isControl(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }

// Escape returns name with each byte of a control character as \xNN. It
// returns name itself, without a copy, when there is none, which is nearly
// always; else the result is appended to buf[:0]. All other bytes, invalid
// UTF-8 among them, pass through.
func Escape(buf, name []byte) []byte {
	i := indexControl(name)
	if i < 0 {
		return name
	}
	buf = append(buf[:0], name[:i]...)
	for name = name[i:]; len(name) > 0; {
		r, n := utf8.DecodeRune(name)
		if isControl(r) {
			buf = appendHexBytes(buf, name[:n])
		} else {
			buf = append(buf, name[:n]...)
		}
		name = name[n:]
	}
	return buf
}

// indexControl returns where the first control character may begin, or -1. In
// UTF-8 the C1 controls are C2 80 to C2 9F, so any C2 is reason to look.
func indexControl(name []byte) int {
	for i, b := range name {
		if b < ' ' || b == 0x7f || b == 0xc2 {
			return i
		}
	}
	return -1
}

func appendHexBytes(dst, raw []byte) []byte {
	const digits = "0123456789abcdef"
	for _, b := range raw {
		dst = append(dst, '\\', 'x', digits[b>>4], digits[b&0xf])
	}
	return dst
}
