// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/cilium/ebpf"
)

func TestEveryWayOfAttachingHasAnEmptyProgram(t *testing.T) {
	for _, c := range []struct {
		way, function string
		kind          ebpf.ProgramType
		attach        ebpf.AttachType
		to            string
	}{
		{"lsm", "security_file_open", ebpf.LSM, ebpf.AttachLSMMac, "file_open"},
		{"fentry", "d_move", ebpf.Tracing, ebpf.AttachTraceFEntry, "d_move"},
		{"fexit", "vfs_mkdir", ebpf.Tracing, ebpf.AttachTraceFExit, "vfs_mkdir"},
		{"kprobe", "d_move", ebpf.Kprobe, ebpf.AttachNone, ""},
		{"kretprobe", "d_move", ebpf.Kprobe, ebpf.AttachNone, ""},
	} {
		p, err := empty(c.way, c.function)
		if err != nil {
			t.Errorf("%s: %v", c.way, err)
			continue
		}
		if p.Type != c.kind || p.AttachType != c.attach || p.AttachTo != c.to || len(p.Instructions) != 2 {
			t.Errorf("%s: %+v", c.way, p)
		}
	}
}

// A way that fim learns and this does not must not go unnoticed: the column
// would lack a hook.
func TestAnUnknownWayOfAttachingIsRefused(t *testing.T) {
	for _, name := range []string{"fsession_vfs_mkdir", "vfs", ""} {
		if l, err := attach(name); err == nil {
			l.Close()
			t.Errorf("%q was attached", name)
		}
	}
}

func TestWhatIsWatchedIsRead(t *testing.T) {
	o, err := options([]string{"open", "rename"}, []string{"/bench/elsewhere"})
	if err != nil || len(o.Ops) != 2 || len(o.Mounts) == 0 || !o.Set.Reaches([]byte("/bench/elsewhere/x")) {
		t.Errorf("%+v, %v", o, err)
	}
	for _, bad := range [][2]string{{"opened", "/a"}, {"open", "a"}} {
		if o, err := options([]string{bad[0]}, []string{bad[1]}); err == nil {
			t.Errorf("%q read as %+v", bad, o)
		}
	}
}
