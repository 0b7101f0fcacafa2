// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

func mount(t *testing.T, source, target, fstype string, flags uintptr) {
	t.Helper()
	if err := unix.Mount(source, target, fstype, flags, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(target, unix.MNT_DETACH) })
}

// One directory has two host paths by a bind mount of the host: a change by
// either is reported with the path that a pattern names, the first in the mount
// table if there are several.
func TestABindMountOfTheHostIsWatchedByEitherName(t *testing.T) {
	root := t.TempDir()
	makeDir(t, root, "plain/sub/deep")
	makeDir(t, root, "watched/b")
	mount(t, filepath.Join(root, "plain/sub"), filepath.Join(root, "watched/b"), "", unix.MS_BIND)
	b := openBackend(t, []event.Op{event.OpCreate, event.OpMkdir}, filepath.Join(root, "watched"), filepath.Join(root, "plain/*/deep/only"))
	end := filepath.Join(root, "watched/end")
	got := lines(observe(t, b, end,
		step("mknod", filepath.Join(root, "plain/no")), step("mknod", filepath.Join(root, "plain/sub/1")),
		step("mknod", filepath.Join(root, "watched/b/2")), step("mknod", filepath.Join(root, "plain/sub/deep/3")),
		step("mknod", filepath.Join(root, "watched/b/deep/only"))), root)
	equal(t, got, []string{"create watched/b/1", "create watched/b/2", "create watched/b/deep/3", "create plain/sub/deep/only"})
}

// A filesystem mounted below a watched path is watched from its first moment,
// before Go has looked at the mount table; afterwards it is a seed.
func TestAFreshMountHasNoBlindWindow(t *testing.T) {
	root := t.TempDir()
	dir := makeDir(t, root, "watched/m")
	makeDir(t, root, "away")
	b := openBackend(t, []event.Op{event.OpCreate, event.OpMkdir}, filepath.Join(root, "watched"))
	mount(t, "fim", dir, "tmpfs", 0)
	mount(t, "fim", filepath.Join(root, "away"), "tmpfs", 0)
	work := func(name string) []string {
		return []string{step("mkdir", filepath.Join(dir, name)), step("mknod", filepath.Join(dir, name, "f")), step("mknod", filepath.Join(root, "away", name))}
	}
	_, place := hostMounts(t)
	b.o.Place = place
	got := lines(observe(t, b, filepath.Join(root, "watched/end"), work("before")...), dir)
	equal(t, got, []string{"mkdir before", "create before/f"})
	if err := b.Refresh(); err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(root, "watched/end"))
	got = lines(observe(t, b, filepath.Join(root, "watched/end"), work("after")...), dir)
	equal(t, got, []string{"mkdir after", "create after/f"})
	if err := unix.Unmount(dir, 0); err != nil {
		t.Errorf("watching keeps the mount busy: %v", err)
	}
}

// A pattern of one file does not report its neighbours, nor the directories
// above it, and sees the file replaced atomically.
func TestAFilePatternNamesOnlyThatFile(t *testing.T) {
	root := t.TempDir()
	file := filepath.Join(makeDir(t, root, "etc"), "passwd")
	b := openBackend(t, []event.Op{event.OpCreate, event.OpRename, event.OpMkdir, event.OpModify}, file, filepath.Join(root, "end"), filepath.Join(root, "home/*/.ssh/**"))
	home := func(s string) string { return filepath.Join(root, "home", s) }
	got := lines(observe(t, b, filepath.Join(root, "end"), step("create", file+".new", "x"), step("create", file+"d"),
		step("rename", file+".new", file), step("append", file, "y"),
		step("mkdir", home("")), step("mkdir", home("bob")), step("mkdir", home("bob/.ssh")), step("mkdir", home("bob/ssh")),
		step("mknod", home("bob/.ssh/k")), step("mknod", home("bob/ssh/k")), step("mkdir", home("bob/x")), step("mknod", home("bob/x/k")),
		step("rename", home("bob/x"), home("bob/.ssh/x")), step("mknod", home("bob/.ssh/x/l"))), root)
	for i := range got {
		got[i] = strings.TrimSuffix(got[i], "\n")
	}
	equal(t, got, []string{"rename etc/passwd from etc/passwd.new", "modify etc/passwd", "mkdir home/bob/.ssh", "create home/bob/.ssh/k",
		"rename home/bob/.ssh/x from home/bob/x", "create home/bob/.ssh/x/l"})
	if unlike := b.paths.unlike.Load(); unlike > 1 {
		t.Errorf("the kernel sent %d records that no pattern matches: it must apply a file's own name", unlike)
	}
}

// Who mounts in a namespace of his own, as any user may, voids no tags and leaves
// nothing unknown, wherever he mounts; nor does who mounts on the host where
// nothing is watched. Who mounts where something is does, once.
func TestMountsThatMakeNothingWatchedVoidNothing(t *testing.T) {
	root := t.TempDir()
	watched, away := makeDir(t, root, "watched/m"), makeDir(t, root, "away")
	b := openBackend(t, []event.Op{event.OpCreate, event.OpMkdir}, filepath.Join(root, "watched"))
	const times = 50
	for _, row := range []struct {
		name   string
		before []string
		target string
		bumps  uint64 // of each mount and umount: before it can be seen, and after each
	}{
		{"in another namespace", []string{step("unshare"), step("alone")}, watched, 0},
		{"where nothing is watched", nil, away, 0},
		{"where something is", nil, watched, 3},
	} {
		steps := row.before
		for range times {
			steps = append(steps, step("tmpfs", row.target), step("mkdir", row.target+"/d"), step("umount", row.target))
		}
		began := walks(b.objects)
		if out, err := MountActor(steps...).Output(); err != nil {
			t.Fatalf("%s: the actor failed: %v %s", row.name, err, out)
		}
		w := walks(b.objects)
		if got := w.Bumps - began.Bumps; got != times*row.bumps {
			t.Errorf("%s: %d mounts voided the tags %d times", row.name, times, got)
		}
		if w.Unsure != began.Unsure {
			t.Errorf("%s: %d directories became unknown", row.name, w.Unsure-began.Unsure)
		}
		t.Logf("%s: %d surveys", row.name, w.Surveys-began.Surveys)
	}
}

// The kernel side knows the mounts that it has seeds of without Go: one more
// refresh finds the same.
func TestSeedsOutOfUseAreDropped(t *testing.T) {
	root := t.TempDir()
	dir := makeDir(t, root, "watched/m")
	b := openBackend(t, []event.Op{event.OpCreate}, filepath.Join(root, "watched"))
	before := seedsOf(t, b)
	var steps []string
	for range 20 {
		steps = append(steps, step("tmpfs", dir))
	}
	if out, err := MountActor(steps...).Output(); err != nil {
		t.Fatalf("the actor failed: %v %s", err, out)
	}
	if got := seedsOf(t, b); got != before+20 {
		t.Errorf("%d seeds, of 20 mounts and %d before", got, before)
	}
	for unix.Unmount(dir, unix.MNT_DETACH) == nil {
	}
	if err := b.Refresh(); err != nil {
		t.Fatal(err)
	}
	if got := seedsOf(t, b); got != before {
		t.Errorf("%d seeds are left, %d were there before", got, before)
	}
}

func seedsOf(t *testing.T, b *Backend) (n int) {
	t.Helper()
	err := b.seeder.sown(0, func(uint64, *trampolinesSeed, uint32, bool) { n++ })
	if err != nil {
		t.Fatal(err)
	}
	return n
}
