// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"io"
	"strings"
	"unicode/utf8"
)

// console cleans what a guest prints and keeps the end of it. Terminal control
// sequences (ECMA-48) and control bytes go: firmware clears screens, and file
// names under test are made to do worse. Newlines and tabs stay.
type console struct {
	w     io.Writer
	state consoleState
	tail  tail
}

type consoleState uint8

const (
	plain     consoleState = iota
	escaped                // after ESC
	interlude              // after ESC and an intermediate byte: one more is left
	parameter              // in a control sequence, ESC [
	text                   // in a control string, ESC ] P X ^ or _, until BEL or ESC \
	textEnd                // after ESC in a control string
)

const (
	bel = 0x07
	esc = 0x1b
	del = 0x7f
)

// Write never fails for what the guest printed, only when w does.
func (c *console) Write(p []byte) (int, error) {
	clean := make([]byte, 0, len(p))
	for _, b := range p {
		keep := b == '\n' || c.state == plain && (b == '\t' || b >= ' ' && b != del)
		c.state = c.state.next(b)
		if keep {
			clean = append(clean, b)
		}
	}
	c.tail.Write(clean)
	_, err := c.w.Write(clean)
	return len(p), err
}

// next is the state after the byte b. A newline ends every sequence, lest an
// unfinished one swallow the rest of the run.
func (s consoleState) next(b byte) consoleState {
	switch {
	case b == '\n':
		return plain
	case s == text && b == esc:
		return textEnd
	case s == text && b != bel:
		return text
	case s == textEnd && b != '\\':
		return text
	case b == esc:
		return escaped
	case s == escaped && b == '[':
		return parameter
	case s == escaped && strings.IndexByte("]PX^_", b) >= 0:
		return text
	case (s == escaped || s == interlude) && b >= ' ' && b < '0':
		return interlude
	case s == parameter && (b < '@' || b > '~'):
		return parameter
	}
	return plain
}

// tailSize holds the trace of a kernel panic.
const tailSize = 8 << 10

// tail keeps the last bytes written to it.
type tail struct{ buf []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if extra := len(t.buf) - tailSize; extra > 0 {
		t.buf = append(t.buf[:0], t.buf[extra:]...)
	}
	return len(p), nil
}

// String returns whole lines, valid UTF-8.
func (t *tail) String() string {
	s := string(t.buf)
	if len(s) == tailSize {
		_, s, _ = strings.Cut(s, "\n")
	}
	return strings.ToValidUTF8(strings.TrimSpace(s), string(utf8.RuneError))
}
