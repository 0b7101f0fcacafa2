// SPDX-License-Identifier: Apache-2.0

package fanotify

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

func farAway() time.Time { return time.Now().Add(time.Minute) }

func TestABindMountIsWatchedByEitherName(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.do("mktree o/src/sub", "mkdir w/bound", "bind o/src w/bound")
		w.watch()
		// The pattern names the bind; the file is reached by its other name.
		w.do("touch o/src/f", "touch w/bound/sub/g", "touch o/other")
		all := w.expect("create w/bound/f", "create w/bound/sub/g")
		if got := string(all[0].File.Mountpoint); got != filepath.Join(w.root, "w/bound") {
			t.Errorf("mountpoint %q", got)
		}
		w.do("umount w/bound")
		w.events()
		w.do("touch o/src/h", "touch w/bound/under")
		w.expect("create w/bound/under")
	})
}

func TestAMountOverAWatchedDirectoryIsWatchedAndGivesItBack(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.do("mkdir w/d", "open 1 w/d/below")
		w.watch()
		w.do("mount w/d")
		w.events() // the table is read again
		w.do("touch w/d/above", "put 1", "close 1")
		all := w.expect("create w/d/above") // what is below has no path now
		if got := string(all[0].File.FSType); got != "tmpfs" {
			t.Errorf("type %q", got)
		}
		w.do("umount w/d")
		w.events()
		w.do("touch w/d/again")
		w.expect("create w/d/again")
	})
}

func TestEventsInANewMountAreToldAsSoonAsItIsMarked(t *testing.T) {
	kernel(t)
	w := newWorld(t, mounters["tmpfs"])
	w.do("mkdir w/d")
	w.watch()
	w.do("mount w/d", "touch w/before")
	// The first wait reads the table and marks; then, before it reads events,
	// more happens.
	if err := w.g.wait(farAway()); err != nil {
		t.Fatal(err)
	}
	w.do("mkdir w/d/sub", "touch w/d/sub/f")
	w.expect("create w/before", "mkdir w/d/sub", "create w/d/sub/f")
}

func TestARenamedDirectoryTakesTheMountsBelowAlong(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.do("mktree w/a/m", "mktree o/src/deep", "mkdir w/b", "mount w/a/m", "bind o/src/deep w/b")
		w.watch()
		w.do("touch w/a/m/f", "touch w/b/f")
		w.expect("create w/a/m/f", "create w/b/f")
		w.do("rename w/a w/c", "rename o/src o/dst")
		w.expect("rename w/c < w/a")
		w.do("touch w/c/m/g", "touch o/dst/deep/g")
		w.expect("create w/c/m/g", "create w/b/g")
	})
}

func TestAFilesystemThatIsMountedAgainIsMarkedAgain(t *testing.T) {
	kernel(t)
	w := newWorld(t, mounters["tmpfs"])
	w.do("mkdir w/d")
	dir := filepath.Join(w.root, "w/d")
	t.Run("ext4", func(t *testing.T) {
		w.t, w.player.t = t, t
		mounters["ext4"](t, dir)
		w.watch()
		w.do("touch w/d/f")
		w.expect("create w/d/f")
		out := device(t, dir)
		keep := t.TempDir() // keeps the loop device
		run(t, "mount", out, keep)
		t.Cleanup(func() { _ = unix.Unmount(keep, unix.MNT_DETACH) })
		if err := unix.Unmount(dir, 0); err != nil {
			t.Fatalf("unmount, which no descriptor of ours may hinder: %v", err)
		}
		run(t, "mount", "-t", "ext4", out, dir)
		w.events()
		w.do("touch w/d/g")
		w.expect("create w/d/g")
	})
}

// device returns the device of the mount at dir.
func device(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[1] == dir {
			return f[0]
		}
	}
	t.Fatalf("%s is not mounted", dir)
	return ""
}

func TestFilesystemsThatRefuseAreNamed(t *testing.T) {
	kernel(t)
	w := newWorld(t, mounters["tmpfs"])
	w.do("mktree o/lower", "mktree o/upper", "mktree o/work", "mktree w/merged", "mktree w/proc")
	at := func(dir string) string { return filepath.Join(w.root, dir) }
	mountAt(t, "overlay", at("w/merged"), "overlay",
		"lowerdir="+at("o/lower")+",upperdir="+at("o/upper")+",workdir="+at("o/work"))
	mountAt(t, "proc", at("w/proc"), "proc", "")
	w.watch()
	refused := map[string]error{}
	for _, r := range w.g.Refused() {
		refused[r.FSType] = r
		if !strings.Contains(r.Error(), r.Mountpoint) {
			t.Errorf("no mountpoint in %q", r)
		}
	}
	if len(refused) != 2 || refused["overlay"] == nil || refused["proc"] == nil {
		t.Fatalf("got %v", refused)
	}
	if !errors.Is(refused["overlay"], unix.EOPNOTSUPP) || !strings.Contains(refused["overlay"].Error(), "upper and lower") {
		t.Errorf("overlay: %v", refused["overlay"])
	}
	if got := w.g.Marked(); len(got) != 1 || got[0].Mountpoint != w.root || got[0].FSType != "tmpfs" {
		t.Errorf("marked %+v", got)
	}
	w.do("touch w/f") // the rest is watched all the same
	w.expect("create w/f")
}

func TestNothingToMarkIsAnErrorThatNamesEachRefusal(t *testing.T) {
	kernel(t)
	_, err := Open(Options{Set: compile(t, "/", "proc/sys"), Ops: event.Ops(), HostRoot: "/"})
	if !errors.Is(err, ErrNothing) || !strings.Contains(err.Error(), "/proc (proc)") {
		t.Errorf("got %v", err)
	}
}

func TestTwoFilesystemsWithOneIDAreNotMixedUp(t *testing.T) {
	kernel(t)
	w := newWorld(t, mounters["tmpfs"])
	w.do("mkdir w/a", "mkdir w/b")
	image := filepath.Join(t.TempDir(), "image")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 8<<20)); err != nil {
		t.Fatal(err)
	}
	run(t, "mkfs.ext4", "-q", "-F", image)
	run(t, "cp", image, image+"2")
	for dir, file := range map[string]string{"w/a": image, "w/b": image + "2"} {
		run(t, "mount", "-t", "ext4", "-o", "loop", file, filepath.Join(w.root, dir))
		t.Cleanup(func() { _ = unix.Unmount(filepath.Join(w.root, dir), unix.MNT_DETACH) })
	}
	w.watch()
	if r := w.g.Refused(); len(r) != 1 || !errors.Is(r[0], errSameFsid) {
		t.Errorf("refused: %v", r)
	}
}

func TestWhatDoesNotFitTheQueueIsToldAsLost(t *testing.T) {
	kernel(t)
	const setting = "/proc/sys/fs/fanotify/max_queued_events"
	old, err := os.ReadFile(setting)
	if err == nil {
		err = os.WriteFile(setting, []byte("64"), 0o644)
	}
	if err != nil {
		t.Skipf("SKIPPED: cannot make the queue small: %v", err)
	}
	defer os.WriteFile(setting, old, 0o644)
	w := newWorld(t, mounters["tmpfs"])
	w.do("mkdir w/a")
	w.watch()
	w.do("touch w/a/first")
	w.expect("create w/a/first")
	for i := range 100 {
		w.do("touch w/a/" + strings.Repeat("f", i+1))
	}
	w.do("rename w/a w/b") // its event is lost
	told := map[string]int{}
	for _, e := range w.events() {
		told[e.Op.String()+" "+string(e.Lost.Reason)]++
		if e.Lost.Count.Known {
			t.Error("the kernel does not count what is lost")
		}
	}
	if told["lost queue_full"] != 1 || told["create "] < 60 {
		t.Errorf("got %v", told)
	}
	w.do("touch w/b/after")
	w.expect("create w/b/after") // where directories are is found out anew
	if n := w.count("fanotify_overflows"); n != 1 {
		t.Errorf("%d counted", n)
	}
}

func TestABtrfsSubvolumeHasADeviceOfItsOwn(t *testing.T) {
	kernel(t)
	w := newWorld(t, mounters["btrfs"])
	w.watch()
	w.call("btrfs", filepath.Join(w.root, "w"), "sub")
	w.do("touch w/sub/f", "unlink w/sub/f", "touch w/g")
	all := w.expect("mkdir w/sub", "create w/sub/f", "unlink w/sub/f", "create w/g")
	var sub, top unix.Stat_t
	err := errors.Join(unix.Stat(filepath.Join(w.root, "w/sub"), &sub), unix.Stat(w.root, &top))
	if err != nil || sub.Dev == top.Dev {
		t.Fatalf("devices %#x, %#x, %v", sub.Dev, top.Dev, err)
	}
	for i, want := range []uint64{sub.Dev, sub.Dev, sub.Dev, top.Dev} {
		if got := all[i].File.Dev; got != want {
			t.Errorf("%s: dev %#x, want %#x", w.line(all[i]), got, want)
		}
	}
}

func TestASubvolumeIsMarkedThroughTheTopLevelOrRefused(t *testing.T) {
	kernel(t)
	w := newWorld(t, mounters["btrfs"])
	w.call("btrfs", filepath.Join(w.root, "w"), "sub")
	dir := filepath.Join(t.TempDir(), "sub")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, "mount", "-t", "btrfs", "-o", "subvol=w/sub", device(t, w.root), dir)
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	open := func() error {
		g, err := Open(Options{Set: compile(t, dir, "."), Ops: event.Ops(), HostRoot: "/"})
		if err == nil {
			err = g.Close()
		}
		return err
	}
	if err := open(); err != nil {
		t.Errorf("with the top level mounted: %v", err)
	}
	if err := unix.Unmount(w.root, unix.MNT_DETACH); err != nil {
		t.Fatal(err)
	}
	if err := open(); !errors.Is(err, ErrNothing) || !strings.Contains(err.Error(), "subvolid=5") {
		t.Errorf("without: %v", err)
	}
}

func TestPathsAreThoseOfTheHostWhereItsRootIsMounted(t *testing.T) {
	kernel(t)
	// The root of the host, as a container sees it, with the host's procfs in it.
	host := filepath.Join(t.TempDir(), "host")
	if err := os.Mkdir(host, 0o755); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, mounters["tmpfs"])
	if err := unix.Mount("/", host, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(host, unix.MNT_DETACH) })
	table, err := os.ReadFile("/proc/1/mountinfo")
	if err != nil || !strings.Contains(string(table), " / /proc ") {
		t.Skipf("SKIPPED: no mount table of the first process: %v", err)
	}
	// Its mount table does not list the tmpfs, which is ours alone: so watch a
	// directory of the host's own root filesystem.
	dir := t.TempDir()
	w.ops = []event.Op{event.OpCreate}
	w.set = compile(t, dir, ".")
	if w.g, err = Open(Options{Set: w.set, Ops: w.ops, HostRoot: host}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.g.Close() })
	w.call("touch", dir+"/f")
	w.expect("create " + strings.TrimPrefix(dir, "/") + "/f")
	w.call("touch", host+dir+"/g")
	w.expect("create " + strings.TrimPrefix(dir, "/") + "/g")
}
