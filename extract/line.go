// SPDX-License-Identifier: Apache-2.0

package extract

import (
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

// AppendLine appends e as one line for people, without a newline and without
// control characters:
//
//	rename /tmp/job -> /etc/cron.d/job inode=7 dev=253:0 proc=mv pid=4711 uid=0
//
// What is not known is left out. Programs use the fields or the payload.
func AppendLine(dst []byte, e *event.Event) []byte {
	l := line{dst: append(dst, e.Op.String()...)}
	if e.Op == event.OpLost {
		l.number("count", e.Lost.Count)
		l.name("reason", e.Lost.Reason)
		return l.dst
	}
	l.path(" ", e.Old.HostPath)
	if len(e.Old.HostPath) > 0 {
		l.dst = append(l.dst, " ->"...)
	}
	l.path(" ", e.File.HostPath)
	l.path(" -> ", e.File.LinkTarget)
	if e.Failed {
		l.name("failed", e.Res)
	}
	l.number("inode", nonzero(e.File.Inode))
	l.device(e.File.Dev)
	l.name("proc", e.Proc.Comm)
	l.number("pid", nonzero(e.Proc.Pid))
	l.name("exe", e.Proc.Exe)
	l.number("uid", e.Proc.UID)
	l.number("loginuid", e.Proc.LoginUID)
	l.name("container", shortID(e.Container.ID))
	if e.Truncated {
		l.dst = append(l.dst, " truncated"...)
	}
	return l.dst
}

// line is the line so far.
type line struct{ dst []byte }

func (l *line) path(before string, path []byte) {
	if len(path) > 0 {
		l.dst = append(l.dst, before...)
		l.dst = append(l.dst, event.Escape(nil, path)...)
	}
}

func (l *line) name(key string, v []byte) {
	if len(v) > 0 {
		l.key(key)
		l.dst = append(l.dst, event.Escape(nil, v)...)
	}
}

func (l *line) number(key string, n event.Uint) {
	if n.Known {
		l.key(key)
		l.dst = strconv.AppendUint(l.dst, n.V, 10)
	}
}

func (l *line) device(dev uint64) {
	if dev != 0 {
		l.number("dev", event.Known(uint64(unix.Major(dev))))
		l.dst = append(l.dst, ':')
		l.dst = strconv.AppendUint(l.dst, uint64(unix.Minor(dev)), 10)
	}
}

func (l *line) key(key string) {
	l.dst = append(l.dst, ' ')
	l.dst = append(l.dst, key...)
	l.dst = append(l.dst, '=')
}
