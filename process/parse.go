// SPDX-License-Identifier: Apache-2.0

package process

import (
	"bytes"

	"github.com/falco-fim/fim/event"
)

// ticksPerSecond is USER_HZ, in which /proc counts time; it is 100 on every
// architecture that Go runs on.
const ticksPerSecond = 100

// unsetLogin is the audit login uid of a process that nobody logged in for.
const unsetLogin = 1<<32 - 1

// Positions in /proc/PID/stat, counted behind the name of the process.
const (
	fieldState   = 0
	fieldPpid    = 1
	fieldSession = 3
	fieldTTY     = 4
	fieldStart   = 19
)

type stat struct {
	comm  []byte
	gone  bool // a zombie, or on its way out
	ppid  uint64
	sid   uint64     // 0 of kernel threads, and where its leader is not to be seen
	tty   event.Uint // 0 when there is none
	start uint64     // in ticks since boot
}

// parseStat reads /proc/PID/stat, see proc_pid_stat(5). The name stands in
// parentheses as it is, whatever bytes it holds; no field behind it can hold a
// parenthesis, so the last one ends the name.
func parseStat(text []byte) (st stat, ok bool) {
	from, to := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if from < 0 || to < from {
		return st, false
	}
	st.comm = text[from+1 : to]
	rest := text[to+1:]
	for i := 0; i <= fieldStart; i++ {
		var field []byte
		if field, rest = nextField(rest); len(field) == 0 {
			return st, false
		}
		switch i {
		case fieldState:
			st.gone, ok = field[0] == 'Z' || field[0] == 'X', true
		case fieldPpid:
			st.ppid, ok = parseUint(field)
		case fieldSession:
			st.sid, ok = parseUint(field)
		case fieldTTY:
			st.tty.V, st.tty.Known = parseUint(field) // a signed number
			ok = true
		case fieldStart:
			st.start, ok = parseUint(field)
		default:
			continue
		}
		if !ok {
			return st, false
		}
	}
	return st, true
}

// ids returns the real and the effective id, the first two of the line that
// begins with label ("\nUid:"), from /proc/PID/status. A newline in the process's
// name is escaped there, so no name can look like such a line.
func ids(text []byte, label string) (own, effective event.Uint) {
	at := bytes.Index(text, []byte(label))
	if at < 0 {
		return own, effective
	}
	first, rest := nextField(text[at+len(label):])
	second, _ := nextField(rest)
	own.V, own.Known = parseUint(first)
	effective.V, effective.Known = parseUint(second)
	return own, effective
}

// innermost returns the last id of the line NSpid of /proc/PID/status, which has
// one for each pid namespace that the process is in.
func innermost(text []byte) (id event.Uint) {
	const label = "\nNSpid:"
	at := bytes.Index(text, []byte(label))
	if at < 0 {
		return id
	}
	for rest := text[at+len(label):]; ; {
		var field []byte
		if field, rest = nextField(rest); len(field) == 0 {
			return id
		}
		id.V, id.Known = parseUint(field)
	}
}

// parseLogin reads /proc/PID/loginuid.
func parseLogin(text []byte) event.Uint {
	if v, ok := parseUint(bytes.TrimSpace(text)); ok && v != unsetLogin {
		return event.Known(v)
	}
	return event.Uint{}
}

// splitArgs appends the arguments in /proc/PID/cmdline, each of which ends in a
// NUL unless the process has overwritten it or it was cut.
func splitArgs(dst [][]byte, text []byte) [][]byte {
	for len(text) > 0 {
		arg, rest, _ := bytes.Cut(text, []byte{0})
		dst, text = append(dst, arg), rest
	}
	return dst
}

// nextField cuts the first field off a line of fields between blanks; an empty
// field is the end of the line.
func nextField(b []byte) (field, rest []byte) {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	if end := bytes.IndexAny(b, " \t\n"); end >= 0 {
		return b[:end], b[end:]
	}
	return b, nil
}

// parseUint reads decimal digits, all of b, without allocating.
func parseUint(b []byte) (v uint64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' || v > (1<<64-1-9)/10 {
			return 0, false
		}
		v = v*10 + uint64(c-'0')
	}
	return v, len(b) > 0
}
