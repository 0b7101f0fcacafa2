// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/falco-fim/fim/event"
)

// packProcess makes a record of a process as the kernel side lays it out.
func packProcess(r trampolinesProcess, parts ...string) []byte {
	head := unsafe.Slice((*byte)(unsafe.Pointer(&r)), processSize)
	return append(bytes.Clone(head), strings.Join(parts, "")...)
}

// shell is a record of /bin/sh in /w, whose parent runs /sbin/init.
func shell(mark uint64) []byte {
	r := trampolinesProcess{Mark: mark, Tgid: 7, Vpid: 3, Sid: 5, Tty: 136<<20 | 1, MntNs: 11, PidNs: 12, ExeBytes: 7, CwdBytes: 2, ArgvBytes: 6, GroupBytes: 4, Group1Bytes: 5}
	r.Flags = uint32(trampolinesProcessFlagPROCESS_ARGV | trampolinesProcessFlagPROCESS_ARGV_CUT | trampolinesProcessFlagPROCESS_CWD | trampolinesProcessFlagPROCESS_GROUP | trampolinesProcessFlagPROCESS_GROUP1)
	r.Above[0] = trampolinesAncestor{Start: 99, Tgid: 1, ExeBytes: 10, Comm: [16]int8{'i', 'n', 'i', 't'}}
	r.Above[1] = trampolinesAncestor{Tgid: 2}
	return packProcess(r, "sh\x00bin\x00", "w\x00", "sh\x00-c\x00", "two\x00", "ones\x00", "init\x00sbin\x00")
}

func TestAProcessIsKnownByItsMark(t *testing.T) {
	var in Introduction
	ps := processes{complete: func(i Introduction) {
		in = i
		i.Process.ParentArgv = [][]byte{[]byte("init"), {}}
	}}
	if err := ps.introduce(shell(42)); err != nil {
		t.Fatal(err)
	}
	if in.ParentStart != 99 || string(in.Cgroup1) != "/ones" {
		t.Errorf("parent started at %d, group %q", in.ParentStart, in.Cgroup1)
	}
	var p event.Process
	if !ps.fill(42, &p) {
		t.Fatal("not known")
	}
	texts := map[string]string{
		"/bin/sh": string(p.Exe), "/w": string(p.Cwd), "/two": string(p.Cgroup), "sh|-c": string(bytes.Join(p.Argv, []byte("|"))),
		"init|": string(bytes.Join(p.ParentArgv, []byte("|"))), "init": string(p.AncestorComms[0]), "/sbin/init": string(p.AncestorExes[0]),
	}
	for want, got := range texts {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if p.Vpid != event.Known(3) || p.SID != event.Known(5) || p.TTY != event.Known(136<<8|1) || p.MntNS != event.Known(11) || p.PidNS != event.Known(12) || !p.ArgsCut {
		t.Errorf("numbers: %+v", p)
	}
	if !slices.Equal(p.AncestorPids, []uint64{1, 2}) || p.AncestorExes[1] != nil {
		t.Errorf("above: %v %q", p.AncestorPids, p.AncestorExes)
	}
	if ps.fill(43, &p) {
		t.Error("another mark is known")
	}
}

func TestATornRecordOfAProcessIsAnError(t *testing.T) {
	var ps processes
	for n := 8; n < len(shell(1)); n++ {
		if ps.introduce(shell(1)[:n]) == nil {
			t.Fatalf("%d bytes were accepted", n)
		}
	}
}

func TestWhoActedLatelyIsKept(t *testing.T) {
	var ps processes
	var p event.Process
	for mark := uint64(1); mark <= 3*keepProcesses; mark++ {
		if err := ps.introduce(shell(mark)); err != nil {
			t.Fatal(err)
		}
		if !ps.fill(1, &p) || string(p.Exe) != "/bin/sh" {
			t.Fatalf("the first one is gone after %d", mark)
		}
	}
	if len(ps.known) != keepProcesses || ps.latest.Len() != keepProcesses || ps.fill(2, &p) {
		t.Errorf("%d known, %d listed", len(ps.known), ps.latest.Len())
	}
}

func TestOneWhoseArgumentsAreNotReadableIsLookedForElsewhere(t *testing.T) {
	var ps processes
	var p event.Process
	for _, row := range []struct {
		exe  string
		told bool
	}{{"sh\x00", false}, {"", true}} { // a kernel thread has none
		r := trampolinesProcess{Mark: 1, ExeBytes: uint32(len(row.exe))}
		if err := ps.introduce(packProcess(r, row.exe)); err != nil {
			t.Fatal(err)
		}
		if told := ps.fill(1, &p); told != row.told || p.Argv != nil {
			t.Errorf("exe %q: told: %v, arguments %q", row.exe, told, p.Argv)
		}
	}
}

func TestArgumentsEndWhereTheirNumberSays(t *testing.T) {
	const argv, rest = "a\x00b\x00", "PATH=/bin\x00/bin/a\x00"
	for _, row := range []struct {
		text  string
		count int
		cut   bool // there is more than the text
		want  string
		isCut bool
	}{
		{argv, 0, false, "a|b", false},
		{argv, 0, true, "a|b", true},
		{argv + rest, 2, false, "a|b", false},
		{argv + rest, 2, true, "a|b", false}, // of the environment
		{"a\x00bb", 2, true, "a|bb", true},
		{"a\x00", 2, true, "a", true},
	} {
		var entry told
		isCut := entry.arguments([]byte(row.text), row.count, row.cut)
		if got := string(bytes.Join(entry.who.Argv, []byte("|"))); got != row.want || isCut != row.isCut {
			t.Errorf("%q, %d of them: %q, cut: %v", row.text, row.count, got, isCut)
		}
	}
}

func BenchmarkFillProcess(b *testing.B) {
	var ps processes
	if err := ps.introduce(shell(1)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		var p event.Process
		ps.fill(1, &p)
	}
}
