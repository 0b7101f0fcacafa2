// SPDX-License-Identifier: Apache-2.0

package event

import (
	"encoding/hex"
	"strconv"
	"unicode/utf8"
)

// Version is the payload's version, its first member.
const Version = 1

// MinLimit is the smallest limit that [Append] takes: what the version, the
// operation, the time and the truncation mark need.
const MinLimit = 128

const (
	opPrefix      = `{"v":1,"op":"`
	truncatedMark = `,"truncated":true`
	// rawPrefix marks the hex twin of a name that is not valid UTF-8.
	rawPrefix = "raw."
)

// Append appends e as the payload that Falco carries and returns the extended
// slice. The payload is a JSON object whose names are raw bytes, with only
// control bytes, quotes and backslashes escaped: right for fastjson, which
// passes raw bytes through, but not always valid UTF-8.
//
// At most limit bytes are appended (limit is at least [MinLimit]). A member
// that would not fit is left out whole and "truncated" is set; see members for
// the order.
func Append(dst []byte, e *Event, limit int) []byte {
	return encoder{quote: appendRaw, limit: len(dst) + limit}.append(dst, e)
}

// AppendText appends e as one line of JSON that is valid UTF-8 and holds no
// control character, without the newline. A name that is not valid UTF-8 has
// its bytes in hexadecimal beside it under "raw." and its key, so that
// [Decoder.Decode] restores the event exactly.
func AppendText(dst []byte, e *Event) []byte {
	return encoder{quote: appendUTF8, twins: true, limit: int(^uint(0) >> 1)}.append(dst, e)
}

// encoder is how the two forms differ.
type encoder struct {
	quote func(dst, name []byte) []byte
	twins bool
	limit int // of len(dst)
}

func (c encoder) append(dst []byte, e *Event) []byte {
	dst = append(dst, opPrefix...)
	dst = append(dst, e.Op.String()...)
	dst = append(dst, '"')
	end := c.limit - len(truncatedMark) - len("}")
	truncated := e.Truncated
	for i := range members[:len(members)-1] { // the last is the mark itself
		n := len(dst)
		if dst = c.member(dst, &members[i], e); len(dst) > end {
			dst, truncated = dst[:n], true
		}
	}
	if truncated {
		dst = append(dst, truncatedMark...)
	}
	return append(dst, '}')
}

// member appends ,"key":value, or nothing when the value is absent.
func (c encoder) member(dst []byte, m *member, e *Event) []byte {
	switch v := m.at(e).(type) {
	case *uint64:
		if *v != 0 {
			dst = strconv.AppendUint(append(dst, m.lead...), *v, 10)
		}
	case *Uint:
		if v.Known {
			dst = strconv.AppendUint(append(dst, m.lead...), v.V, 10)
		}
	case *octal:
		if v.Known {
			dst = appendOctal(append(dst, m.lead...), v.V)
		}
	case *[]uint64:
		if len(*v) > 0 {
			dst = appendNumbers(append(dst, m.lead...), *v)
		}
	case *bool:
		if *v {
			dst = append(append(dst, m.lead...), "true"...)
		}
	case *Bool:
		if v.Known {
			dst = strconv.AppendBool(append(dst, m.lead...), v.V)
		}
	case *Type:
		if *v != 0 {
			dst = appendRaw(append(dst, m.lead...), []byte(v.String()))
		}
	case *[]byte:
		if len(*v) > 0 {
			dst = c.quote(append(dst, m.lead...), *v)
			if c.twins && !utf8.Valid(*v) {
				dst = appendHex(appendTwin(dst, m), *v)
			}
		}
	case *[][]byte:
		if len(*v) > 0 {
			dst = c.list(dst, m, *v)
		}
	}
	return dst
}

func (c encoder) list(dst []byte, m *member, list [][]byte) []byte {
	dst = appendList(append(dst, m.lead...), list, c.quote)
	for _, item := range list {
		if c.twins && !utf8.Valid(item) {
			return appendList(appendTwin(dst, m), list, appendHex)
		}
	}
	return dst
}

// appendTwin appends the key of the member's hex twin.
func appendTwin(dst []byte, m *member) []byte {
	dst = append(dst, `,"`+rawPrefix...)
	dst = append(dst, m.key...)
	return append(dst, `":`...)
}

func appendList(dst []byte, list [][]byte, quote func(dst, name []byte) []byte) []byte {
	dst = append(dst, '[')
	for i, item := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = quote(dst, item)
	}
	return append(dst, ']')
}

func appendNumbers(dst []byte, list []uint64) []byte {
	dst = append(dst, '[')
	for i, n := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendUint(dst, n, 10)
	}
	return append(dst, ']')
}

func appendOctal(dst []byte, n uint64) []byte {
	return append(AppendMode(append(dst, '"'), n), '"')
}

// AppendMode appends mode as people write it: in octal, with at least four
// digits.
func AppendMode(dst []byte, mode uint64) []byte {
	for least := uint64(0o1000); least > max(mode, 1); least >>= 3 {
		dst = append(dst, '0')
	}
	return strconv.AppendUint(dst, mode, 8)
}

func appendHex(dst, name []byte) []byte {
	dst = append(dst, '"')
	dst = hex.AppendEncode(dst, name)
	return append(dst, '"')
}

// appendRaw quotes name with its bytes as they are, apart from those that JSON
// gives a meaning.
func appendRaw(dst, name []byte) []byte {
	dst = append(dst, '"')
	from := 0
	for i, b := range name {
		if b >= ' ' && b != '"' && b != '\\' {
			continue
		}
		dst = append(dst, name[from:i]...)
		dst = appendEscape(dst, rune(b))
		from = i + 1
	}
	dst = append(dst, name[from:]...)
	return append(dst, '"')
}

// appendUTF8 quotes name as valid UTF-8, each bad byte as U+FFFD, and escapes
// the C1 controls and DEL too, which terminals obey.
func appendUTF8(dst, name []byte) []byte {
	dst = append(dst, '"')
	for len(name) > 0 {
		r, n := utf8.DecodeRune(name)
		name = name[n:]
		if r < ' ' || r == '"' || r == '\\' || isControl(r) {
			dst = appendEscape(dst, r)
		} else {
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

// appendEscape appends r, which is below U+0100, as JSON escapes it.
func appendEscape(dst []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	if r == '"' || r == '\\' {
		return append(dst, '\\', byte(r))
	}
	return append(dst, '\\', 'u', '0', '0', digits[r>>4&0xf], digits[r&0xf])
}
