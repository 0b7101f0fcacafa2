// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

// terminal is a terminal that a table is shown on.
type terminal struct {
	fd    int
	color bool
}

// terminalOf returns the terminal behind w, or nil when there is none.
func terminalOf(w io.Writer) *terminal {
	f, ok := w.(*os.File)
	if !ok {
		return nil
	}
	if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err != nil {
		return nil
	}
	// https://no-color.org: set and not empty
	return &terminal{fd: int(f.Fd()), color: os.Getenv("NO_COLOR") == ""}
}

// width is the number of columns at this moment.
func (t *terminal) width() int {
	size, err := unix.IoctlGetWinsize(t.fd, unix.TIOCGWINSZ)
	if err != nil || size.Col == 0 {
		return defaultWidth
	}
	return int(size.Col)
}

// defaultWidth is the width of a table that is not on a terminal.
const defaultWidth = 120

// table prints events as rows. Nothing is ever cut: a value that is wider than
// its column pushes the rest of its row to the right.
type table struct {
	width func() int
	color bool
	zone  *time.Location

	day  string // of the row before
	last layout // of the row before
	text []byte // scratch of one cell
}

func newTable(t *terminal) *table {
	tab := &table{width: func() int { return defaultWidth }, zone: time.Local}
	if t != nil {
		tab.width, tab.color = t.width, t.color
	}
	return tab
}

// layout is the width of each column.
type layout struct{ time, op, path, inode, dev, proc, user int }

// columnsFor lays a row out on a terminal of that width: what the path does not
// need to share goes to the path.
func columnsFor(width int) layout {
	l := layout{time: 12, op: 8, inode: 10, dev: 7, proc: 22, user: 8}
	if width < 110 {
		l = layout{time: 8, op: 8, inode: 8, dev: 6, proc: 15, user: 6}
	}
	gaps := 6
	l.path = min(max(width-gaps-l.time-l.op-l.inode-l.dev-l.proc-l.user, 16), 96)
	return l
}

// appendRow appends the row of e, and in front of it what is new since the row
// before: the heads of the columns, and the day.
func (t *table) appendRow(dst []byte, e *event.Event) []byte {
	l := columnsFor(t.width())
	if l != t.last {
		dst, t.last = t.appendHead(dst, l), l
	}
	dst = t.appendDay(dst, e)
	start := len(dst)
	dst = t.cell(dst, t.clock(e, l), l.time)
	dst = t.paint(dst, e.Op, func(dst []byte) []byte { return t.cell(dst, []byte(e.Op.String()), l.op) })
	dst = t.cell(dst, t.path(e), l.path)
	dst = t.cell(dst, t.number(e.File.Inode), l.inode)
	dst = t.cell(dst, t.device(e.File.Dev), l.dev)
	dst = t.cell(dst, t.process(&e.Proc), l.proc)
	dst = t.cell(dst, t.user(&e.Proc), l.user)
	return append(trimSpaces(dst, start), '\n')
}

func (t *table) appendHead(dst []byte, l layout) []byte {
	start := len(dst)
	for _, c := range []struct {
		name  string
		width int
	}{
		{"TIME", l.time}, {"OP", l.op}, {"HOST PATH", l.path}, {"INODE", l.inode},
		{"DEV", l.dev}, {"PROCESS", l.proc}, {"USER", l.user},
	} {
		dst = t.cell(dst, []byte(c.name), c.width)
	}
	return append(trimSpaces(dst, start), '\n')
}

// appendDay appends a line with the date when it is another one than that of
// the row before: a time of day alone is no evidence.
func (t *table) appendDay(dst []byte, e *event.Event) []byte {
	if e.Time == 0 {
		return dst
	}
	if day := t.when(e).Format("2006-01-02 -07:00"); day != t.day {
		t.day = day
		dst = append(append(dst, day...), '\n')
	}
	return dst
}

func (t *table) when(e *event.Event) time.Time { return time.Unix(0, int64(e.Time)).In(t.zone) }

func (t *table) clock(e *event.Event, l layout) []byte {
	if e.Time == 0 {
		return absent
	}
	return t.when(e).AppendFormat(t.text[:0], "15:04:05.000")[:l.time]
}

// absent stands where a value is not known.
var absent = []byte("-")

func (t *table) number(n uint64) []byte {
	if n == 0 {
		return absent
	}
	return strconv.AppendUint(t.text[:0], n, 10)
}

func (t *table) device(dev uint64) []byte {
	if dev == 0 {
		return absent
	}
	return fmt.Appendf(t.text[:0], "%d:%d", unix.Major(dev), unix.Minor(dev))
}

func (t *table) process(p *event.Process) []byte {
	if p.Pid == 0 {
		return absent
	}
	t.text = appendName(t.text[:0], p.Comm)
	return fmt.Appendf(t.text, "[%d]", p.Pid)
}

// user is the name of the user on the host, else the number.
func (t *table) user(p *event.Process) []byte {
	switch {
	case !p.UID.Known:
		return absent
	case len(p.User) > 0:
		return appendName(t.text[:0], p.User)
	}
	return strconv.AppendUint(t.text[:0], p.UID.V, 10)
}

// path shows the path on the host: the old and the new one of a rename, a
// symbolic link and what it holds, and for a loss how much and why.
func (t *table) path(e *event.Event) []byte {
	dst := t.text[:0]
	if e.Op == event.OpLost {
		dst = append(dst, "an unknown number of"...)
		if e.Lost.Count.Known {
			dst = strconv.AppendUint(dst[:0], e.Lost.Count.V, 10)
		}
		t.text = appendName(append(dst, " events: "...), e.Lost.Reason)
		return t.text
	}
	if e.Op == event.OpRename {
		dst = append(appendName(dst, e.Old.HostPath), " -> "...)
	}
	dst = appendName(dst, e.File.HostPath)
	if len(e.File.LinkTarget) > 0 {
		dst = appendName(append(dst, " -> "...), e.File.LinkTarget)
	}
	if e.Failed {
		dst = append(appendName(append(dst, " ["...), e.Res), ']')
	}
	t.text = dst
	return dst
}

// cell appends text, spaces up to width, and the gap to the next column.
func (t *table) cell(dst, text []byte, width int) []byte {
	dst = append(dst, text...)
	for n := displayWidth(text); n < width; n++ {
		dst = append(dst, ' ')
	}
	return append(dst, ' ')
}

// colors are by what an operation does: adds, takes away, moves, changes.
var colors = map[event.Op]string{
	event.OpCreate: "32", event.OpMkdir: "32", event.OpMknod: "32", event.OpSymlink: "32",
	event.OpUnlink: "31", event.OpRmdir: "31",
	event.OpRename: "36", event.OpLink: "36",
	event.OpModify: "33", event.OpTruncate: "33", event.OpMmap: "33",
	event.OpLost: "1;31",
}

func colorOf(op event.Op) string {
	if op.Attribute() {
		return colors[event.OpModify]
	}
	return colors[op]
}

func (t *table) paint(dst []byte, op event.Op, text func([]byte) []byte) []byte {
	code := colorOf(op)
	if !t.color || code == "" {
		return text(dst)
	}
	dst = append(append(append(dst, "\x1b["...), code...), 'm')
	return append(text(dst), "\x1b[0m"...)
}

// trimSpaces drops the spaces at the end of dst, which begins at start.
func trimSpaces(dst []byte, start int) []byte {
	for len(dst) > start && dst[len(dst)-1] == ' ' {
		dst = dst[:len(dst)-1]
	}
	return dst
}
