// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bytes"
	"strings"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/falco-fim/fim/event"
)

// pack makes a record as the kernel side lays it out.
func pack(r trampolinesRecord, parts ...string) []byte {
	head := unsafe.Slice((*byte)(unsafe.Pointer(&r)), recordSize)
	return append(bytes.Clone(head), strings.Join(parts, "")...)
}

func TestNamesBecomeAPathRootFirst(t *testing.T) {
	for _, row := range []struct{ names, want string }{
		{"", ""},
		{"a\x00", "/a"},
		{"c\x00b\x00a\x00", "/a/b/c"},
		{"new\nline\x00\xff\xfe\x00", "/\xff\xfe/new\nline"},
	} {
		if got := string(appendPath(nil, []byte(row.names))); got != row.want {
			t.Errorf("%q became %q, want %q", row.names, got, row.want)
		}
	}
}

func TestTheLeafSideOfNames(t *testing.T) {
	names := []byte("c\x00b\x00a\x00")
	for n, want := range []string{"", "c\x00", "c\x00b\x00", "c\x00b\x00a\x00", "c\x00b\x00a\x00"} {
		if got := string(leaf(names, uint16(n))); got != want {
			t.Errorf("first %d: %q, want %q", n, got, want)
		}
	}
}

func TestARecordIsTakenApart(t *testing.T) {
	r := trampolinesRecord{TextBytes: 2}
	r.Path.Bytes, r.Old.Bytes, r.View.Bytes = 2, 3, 4
	got, err := split(pack(r, "p\x00", "oo\x00", "vvv\x00", "tt"))
	if err != nil {
		t.Fatal(err)
	}
	if string(got.path) != "p\x00" || string(got.old) != "oo\x00" || string(got.view) != "vvv\x00" || string(got.text) != "tt" {
		t.Errorf("path %q, old %q, view %q, target %q", got.path, got.old, got.view, got.text)
	}
}

func TestATornRecordIsAnError(t *testing.T) {
	r := trampolinesRecord{TextBytes: 1 << 15}
	if _, err := split(pack(r)); err == nil {
		t.Error("a target beyond the record was accepted")
	}
	whole := pack(trampolinesRecord{})
	for n := range whole {
		if _, err := split(whole[:n]); err == nil {
			t.Fatalf("%d of %d bytes were accepted", n, len(whole))
		}
	}
}

func FuzzARecordNeverPanics(f *testing.F) {
	r := trampolinesRecord{}
	r.Path.Bytes, r.Path.InMount = 4, 1
	f.Add(pack(r, "b\x00a\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := split(append([]byte(nil), b...))
		if err != nil {
			return
		}
		var e event.Event
		appendPath(nil, r.path)
		leaf(r.path, r.Path.InMount)
		r.file(&e)
		r.process(&e.Proc)
	})
}

func TestTheDeviceIsAsStatShowsIt(t *testing.T) {
	for _, row := range []struct {
		name   string
		record trampolinesRecord
		want   uint64
	}{
		{"a partition", trampolinesRecord{Dev: 259<<20 | 3}, 259<<8 | 3},
		{"a minor above 255", trampolinesRecord{Dev: 8<<20 | 0x12345}, 8<<8 | 0x45 | 0x123<<20},
		{"btrfs shows another", trampolinesRecord{Dev: 31, StatDev: 32, Magic: btrfsMagic}, 32},
		{"btrfs shows another that is not known", trampolinesRecord{Dev: 31, Magic: btrfsMagic}, 0},
		{"overlayfs may show another", trampolinesRecord{Dev: 31, StatDev: 32, Magic: overlayMagic}, 32},
	} {
		r := raw{trampolinesRecord: &row.record}
		if got := r.statDev(); got != row.want {
			t.Errorf("%s: %#x, want %#x", row.name, got, row.want)
		}
	}
}

// The C side and Go must mean the same: sizes of what they share, as the
// objects' own BTF has them, and the numbers of operations.
func TestSharedTypesAgree(t *testing.T) {
	for _, object := range []func() (*ebpf.CollectionSpec, error){loadTrampolines, loadProbes} {
		spec, err := object()
		if err != nil {
			t.Fatal(err)
		}
		for name, size := range map[string]uintptr{
			"record": unsafe.Sizeof(trampolinesRecord{}), "counters": unsafe.Sizeof(trampolinesCounters{}),
			"walks": unsafe.Sizeof(trampolinesWalks{}), "state": unsafe.Sizeof(trampolinesState{}),
			"edge": unsafe.Sizeof(trampolinesEdge{}), "pair": unsafe.Sizeof(trampolinesPair{}),
			"seed": unsafe.Sizeof(trampolinesSeed{}), "settings": unsafe.Sizeof(trampolinesSettings{}),
		} {
			checkLayout(t, spec.Types, name, size)
		}
	}
	for c, op := range map[trampolinesOp]event.Op{
		trampolinesOpOP_OPEN: event.OpOpen, trampolinesOpOP_CREATE: event.OpCreate, trampolinesOpOP_MODIFY: event.OpModify,
		trampolinesOpOP_CLOSE: event.OpClose, trampolinesOpOP_RENAME: event.OpRename, trampolinesOpOP_LINK: event.OpLink,
		trampolinesOpOP_SYMLINK: event.OpSymlink, trampolinesOpOP_UNLINK: event.OpUnlink, trampolinesOpOP_MKDIR: event.OpMkdir,
		trampolinesOpOP_RMDIR: event.OpRmdir, trampolinesOpOP_MKNOD: event.OpMknod, trampolinesOpOP_TRUNCATE: event.OpTruncate,
		trampolinesOpOP_MMAP: event.OpMmap, trampolinesOpOP_CHMOD: event.OpChmod, trampolinesOpOP_CHOWN: event.OpChown,
		trampolinesOpOP_UTIMES: event.OpUtimes, trampolinesOpOP_SETXATTR: event.OpSetxattr, trampolinesOpOP_REMOVEXATTR: event.OpRemovexattr,
		trampolinesOpOP_SETACL: event.OpSetacl, trampolinesOpOP_CHATTR: event.OpChattr, trampolinesOpOP_EXEC: event.OpExec,
		trampolinesOpOP_MOUNT: event.OpMount, trampolinesOpOP_UMOUNT: event.OpUmount,
	} {
		if uint8(c) != uint8(op) {
			t.Errorf("%v is %d in C and %d in Go", op, c, op)
		}
	}
}

// checkLayout compares the size and finds gaps: a gap would send what memory
// held before.
func checkLayout(t *testing.T, types *btf.Spec, name string, size uintptr) {
	t.Helper()
	var s *btf.Struct
	if err := types.TypeByName(name, &s); err != nil {
		t.Errorf("struct %s: %v", name, err)
		return
	}
	if uintptr(s.Size) != size {
		t.Errorf("struct %s: %d bytes in C, %d in Go", name, s.Size, size)
	}
	var end uint32
	for _, m := range s.Members {
		if m.Offset.Bytes() != end {
			t.Errorf("struct %s has a gap of %d bytes before %s", name, m.Offset.Bytes()-end, m.Name)
		}
		n, err := btf.Sizeof(m.Type)
		if err != nil {
			t.Fatal(err)
		}
		end = m.Offset.Bytes() + uint32(n)
	}
	if end != s.Size {
		t.Errorf("struct %s has a gap of %d bytes at its end", name, s.Size-end)
	}
}
