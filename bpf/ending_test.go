// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/falco-fim/fim/event"
)

// needWhole leaves a test out where the compiler took a function apart whose end it
// is about: programs there see only some calls.
func needWhole(t *testing.T, function string) {
	t.Helper()
	symbols, err := kernelSymbols(locks)
	if err != nil {
		t.Fatal(err)
	}
	if symbols.parted[function] {
		t.Skipf("SKIPPED: this kernel has %s in parts, so its end is not always seen", function)
	}
}

// openBlind opens a backend as on a kernel that preempts, where programs may be
// skipped, with one that is never run.
func openBlind(t *testing.T, unseen string, dir string) *Backend {
	t.Helper()
	b := openWith(t, func(o *Options) {
		o.flavours, o.force = traits{lsm: readTraits().lsm, preemptible: true, because: "forced"}, true
		o.unseen, o.RingKiB, o.Ops = unseen, 1024, []event.Op{event.OpMkdir, event.OpUnlink, event.OpRmdir, event.OpRename, event.OpLink, event.OpSymlink}
	}, dir)
	needWhole(t, "vfs_rmdir")
	return b
}

// Where the program that sees a removal is skipped, the end of the call tells of
// it, with the file's identity as phase one kept it.
func TestARemovalWhoseProgramIsSkippedIsTold(t *testing.T) {
	dir := makeDir(t, t.TempDir(), "watched")
	in := func(name string) string { return filepath.Join(dir, name) }
	b := openBlind(t, "kprobe_d_delete", dir)
	all := observe(t, b, in("end"), step("mkdir", in("d")), step("mknod", in("d/f")), step("refused", "rmdir", in("d")),
		step("unlink", in("d/f")), step("rmdir", in("d")))
	equal(t, lines(all, dir), []string{"mkdir d", "unlink d/f", "rmdir d"})
	for _, e := range all[1:] {
		if e.File.Inode == 0 || e.File.Dev == 0 || string(e.Res) != event.Success || string(e.File.ViewPath) != string(e.File.HostPath) {
			t.Errorf("%s: %+v", e.Op, e.File)
		}
	}
	if all[1].File.Type != event.TypeFile || all[2].File.Type != event.TypeDirectory || all[2].File.Inode != all[0].File.Inode {
		t.Errorf("types %v and %v, inode %d, was %d", all[1].File.Type, all[2].File.Type, all[2].File.Inode, all[0].File.Inode)
	}
}

// What cannot be told for certain any more is counted and told as lost, as soon
// as the thread begins something else; what failed is not.
func TestAnOperationWhoseEndIsNotSeenIsToldAsLost(t *testing.T) {
	for _, row := range []struct {
		unseen string
		step   func(in func(string) string) string
	}{
		{"kprobe_d_move", func(in func(string) string) string { return step("rename", in("f"), in("g")) }},
		{"kretprobe_vfs_link", func(in func(string) string) string { return step("link", in("f"), in("g")) }},
		{"kprobe_vfs_link", func(in func(string) string) string { return step("link", in("f"), in("g")) }},
		{"kretprobe_vfs_symlink", func(in func(string) string) string { return step("symlink", "x", in("s")) }},
	} {
		t.Run(row.unseen, func(t *testing.T) {
			dir := makeDir(t, t.TempDir(), "watched")
			in := func(name string) string { return filepath.Join(dir, name) }
			b := openBlind(t, row.unseen, dir)
			steps := []string{step("mkdir", in("d")), step("mknod", in("f")), step("mknod", in("d/f")), step("refused", "rmdir", in("d")),
				row.step(in), step("mkdir", in("after"))}
			if out, err := actor("steps", steps...).Output(); err != nil {
				t.Fatalf("the actor failed: %v %s", err, out)
			}
			var told []*event.Event
			for len(told) < 3 { // losses are looked for first
				var e event.Event
				if err := b.Next(&e, time.Now().Add(20*time.Second)); err != nil {
					t.Fatalf("%v, after %q", err, lines(told, dir))
				}
				told = append(told, e.Clone())
			}
			equal(t, lines(told, dir), []string{"lost ", "mkdir d", "mkdir after"})
			if lost := told[0].Lost; string(lost.Reason) != "outcome_unseen" || lost.Count != event.Known(1) {
				t.Errorf("told %+v", lost)
			}
		})
	}
}

// What a security module forbids does not begin: it has no end that could be missed.
func TestWhatASecurityModuleForbidsIsNoLoss(t *testing.T) {
	dir := makeDir(t, t.TempDir(), "watched")
	in := func(name string) string { return filepath.Join(dir, name) }
	b := openWith(t, func(o *Options) {
		o.flavours, o.force = traits{preemptible: true, because: "forced"}, true
		o.RingKiB, o.Ops = 1024, []event.Op{event.OpMkdir, event.OpCreate}
	}, dir)
	needWhole(t, "vfs_rmdir")
	steps := []string{step("forbid"), step("refused", "mkdir", in("d")), step("mknod", in("f"))}
	if out, err := actor("steps", steps...).Output(); err != nil {
		t.Fatalf("the actor failed: %v %s", err, out)
	}
	equal(t, lines(observe(t, b, in("end")), dir), []string{"create f"})
}
