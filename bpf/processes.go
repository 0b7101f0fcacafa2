// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bytes"
	"container/list"
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/falco-fim/fim/event"
)

const processSize = int(unsafe.Sizeof(trampolinesProcess{}))

// keepProcesses is how many processes are kept, those that acted last: twice as many
// as the kernel side remembers to have told of.
const keepProcesses = 4096

// Introduction is what the kernel side told of a process, to be completed.
type Introduction struct {
	// Process has all but what each event says anew. Slices that are added to it are
	// copied.
	Process *event.Process
	// ParentStart is when the parent started, in nanoseconds since boot; zero if there
	// is none. With the first of AncestorPids it names the parent for good.
	ParentStart uint64
	// Cgroup1 is the path of a control group of version 1, nil if there is none.
	Cgroup1 []byte
}

// processes are those that the kernel side has told of, by mark.
type processes struct {
	complete func(Introduction) // or nil
	known    map[uint64]*list.Element
	latest   list.List // of *told; the one that acted last in front
}

// told is one process. Its slices alias its own memory, which is used again.
type told struct {
	mark   uint64
	who    event.Process
	names  []byte
	argv   [][]byte
	parent [][]byte
	pids   [event.MaxAncestors]uint64
	comms  [event.MaxAncestors][]byte
	exes   [event.MaxAncestors][]byte
}

// isProcess tells a record of a process from one of an event.
func isProcess(b []byte) bool { return len(b) >= 8 && binary.NativeEndian.Uint64(b) == 0 }

// introduce keeps what a record tells of a process.
func (ps *processes) introduce(b []byte) error {
	if len(b) < processSize {
		return fmt.Errorf("record of a process of %d bytes, shorter than its header of %d", len(b), processSize)
	}
	r := (*trampolinesProcess)(unsafe.Pointer(unsafe.SliceData(b)))
	t := ps.room(r.Mark)
	rest, err := t.read(r, b[processSize:])
	if err != nil || ps.complete == nil {
		return err
	}
	in := Introduction{Process: &t.who, ParentStart: r.Above[0].Start}
	if r.Flags&uint32(trampolinesProcessFlagPROCESS_GROUP1) != 0 {
		in.Cgroup1 = rest
	}
	ps.complete(in)
	t.parent = t.parent[:0]
	for _, arg := range t.who.ParentArgv {
		t.parent = append(t.parent, t.keep(arg))
	}
	if t.who.ParentArgv != nil {
		t.who.ParentArgv = t.parent
	}
	return nil
}

// room returns the entry of a mark, or one to be used for it.
func (ps *processes) room(mark uint64) *told {
	if ps.known == nil {
		ps.known = make(map[uint64]*list.Element, keepProcesses)
	}
	e := ps.known[mark]
	switch {
	case e != nil:
	case len(ps.known) < keepProcesses:
		e = ps.latest.PushFront(new(told))
	default:
		e = ps.latest.Back()
		delete(ps.known, e.Value.(*told).mark)
	}
	ps.latest.MoveToFront(e)
	ps.known[mark] = e
	t := e.Value.(*told)
	*t = told{mark: mark, names: t.names[:0], argv: t.argv[:0], parent: t.parent[:0]}
	return t
}

// fill adds to p what is known of the process with a mark, and says whether that is
// all that there is to know.
func (ps *processes) fill(mark uint64, p *event.Process) (complete bool) {
	e := ps.known[mark]
	if e == nil {
		return false
	}
	ps.latest.MoveToFront(e)
	w := &e.Value.(*told).who
	p.Exe, p.Cwd, p.Argv, p.ArgsCut = w.Exe, w.Cwd, w.Argv, w.ArgsCut
	p.Vpid, p.SID, p.TTY = w.Vpid, w.SID, w.TTY
	p.MntNS, p.PidNS, p.HostMntNS, p.Cgroup = w.MntNS, w.PidNS, w.HostMntNS, w.Cgroup
	p.AncestorPids, p.AncestorComms, p.AncestorExes, p.ParentArgv = w.AncestorPids, w.AncestorComms, w.AncestorExes, w.ParentArgv
	return w.Argv != nil || w.Exe == nil // kernel threads have neither
}

// read takes a record apart and returns the path of the control group of version 1.
func (t *told) read(r *trampolinesProcess, data []byte) (group1 []byte, err error) {
	p := &t.who
	p.Vpid, p.SID = known(r.Vpid), known(r.Sid)
	p.MntNS, p.PidNS = known(r.MntNs), known(r.PidNs)
	p.TTY = event.Known(terminal(r.Tty))
	next := func(n uint32) (part []byte) {
		if int(n) > len(data) {
			err = fmt.Errorf("record of a process, shorter than the names it announces")
			n = 0
		}
		part, data = data[:n], data[n:]
		return part
	}
	p.Exe = t.path(next(r.ExeBytes))
	if cwd := next(r.CwdBytes); r.Flags&uint32(trampolinesProcessFlagPROCESS_CWD) != 0 {
		p.Cwd = t.root(cwd)
	}
	argv := next(r.ArgvBytes)
	if r.Flags&uint32(trampolinesProcessFlagPROCESS_ARGV) != 0 {
		p.ArgsCut = t.arguments(argv, int(r.Argc), r.Flags&uint32(trampolinesProcessFlagPROCESS_ARGV_CUT) != 0)
	}
	group, names1 := next(r.GroupBytes), next(r.Group1Bytes)
	if r.Flags&uint32(trampolinesProcessFlagPROCESS_GROUP) != 0 {
		p.Cgroup = t.root(group)
	}
	for i := range r.Above {
		a := &r.Above[i]
		if a.Tgid == 0 {
			break
		}
		t.pids[i], t.comms[i], t.exes[i] = uint64(a.Tgid), t.keep(text16(&a.Comm)), t.path(next(a.ExeBytes))
		p.AncestorPids, p.AncestorComms, p.AncestorExes = t.pids[:i+1], t.comms[:i+1], t.exes[:i+1]
	}
	return t.root(names1), err
}

// arguments splits them: each ends in a NUL unless the process has overwritten it or
// it was cut. Where there is a count, what follows so many is not of them. It returns
// whether they are cut.
func (t *told) arguments(text []byte, count int, cut bool) bool {
	kept, ends := t.keep(text), true
	for len(kept) > 0 && (count == 0 || len(t.argv) < count) {
		var arg []byte
		arg, kept, ends = bytes.Cut(kept, []byte{0})
		t.argv = append(t.argv, arg)
	}
	if t.argv == nil {
		t.argv = [][]byte{} // none, which is known
	}
	t.who.Argv = t.argv
	return cut && (count == 0 || len(t.argv) < count || !ends)
}

// keep copies b into the entry's memory; what was kept before stays where it is.
func (t *told) keep(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	start := len(t.names)
	t.names = append(t.names, b...)
	return t.names[start:len(t.names):len(t.names)]
}

// path is that of names, nil if there are none.
func (t *told) path(names []byte) []byte {
	if len(names) == 0 {
		return nil
	}
	return t.root(names)
}

// root is the path of names, "/" of none.
func (t *told) root(names []byte) []byte {
	start := len(t.names)
	t.names = rooted(appendPath(t.names, names), start)
	return t.names[start:len(t.names):len(t.names)]
}

// known is a number that is known unless it is zero.
func known(n uint32) event.Uint { return event.Uint{V: uint64(n), Known: n != 0} }

// terminal encodes a device as new_encode_dev() of include/linux/kdev_t.h does; dev is
// the kernel's own, major << 20 | minor.
func terminal(dev uint32) uint64 {
	major, minor := dev>>20, dev&(1<<20-1)
	return uint64(minor&0xff | major<<8 | minor&^0xff<<12)
}

// text16 is the text of a name of the kernel's, up to its NUL.
func text16(name *[16]int8) []byte {
	b := unsafe.Slice((*byte)(unsafe.Pointer(&name[0])), len(name))
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return b[:i]
	}
	return b
}
