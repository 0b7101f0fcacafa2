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
