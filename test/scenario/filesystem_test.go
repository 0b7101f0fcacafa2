// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// filesystem is a kind of filesystem to run the scripts on.
type filesystem struct {
	name string
	// mkfs makes one inside an image; empty where the kernel makes it.
	mkfs []string
	// size of the image in bytes; the file is sparse.
	size    int64
	options string
}

var filesystems = []filesystem{
	{name: "tmpfs", options: "size=64m,mode=755"},
	// Without a journal a mount writes next to nothing.
	{name: "ext4", mkfs: []string{"mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal"}, size: 64 << 20},
	// As the oldest kernel has it. The log is all written, so it is as small as can be, which mkfs warns of.
	{name: "xfs", mkfs: []string{"mkfs.xfs", "-q", "-f", "-i", "nrext64=0", "-l", "size=14m", "--unsupported"}, size: 128 << 20},
	{name: "vfat", mkfs: []string{"mkfs.vfat"}, size: 32 << 20},
	{name: "overlay"},
	{name: ofRoot},
	{name: "btrfs", mkfs: []string{"mkfs.btrfs", "-q", "-f"}, size: 128 << 20},
}

// ofRoot is the filesystem that the root directory is on, whatever that is: nothing is
// mounted.
const ofRoot = "root"

// wanted returns the filesystem called name. One that this machine has no
// means for skips the test, which test/skips.txt must allow.
func wanted(t *testing.T, name string) filesystem {
	t.Helper()
	i := slices.IndexFunc(filesystems, func(f filesystem) bool { return f.name == name })
	if i < 0 {
		t.Fatalf("no filesystem %q; add it to the table", name)
	}
	f := filesystems[i]
	if f.name == ofRoot {
		return f
	}
	if f.mkfs != nil {
		if _, err := exec.LookPath(f.mkfs[0]); err != nil {
			t.Skipf("%s is not installed", f.mkfs[0])
		}
	}
	known, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(strings.Fields(string(known)), f.name) {
		t.Skipf("the kernel has no %s", f.name)
	}
	return f
}

// mount makes a fresh one and mounts it at dir; image names the file that
// holds it while it is mounted.
func (f filesystem) mount(dir, image string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	switch {
	case f.name == ofRoot:
		return nil
	case f.name == "overlay":
		return mountOverlay(dir)
	case f.mkfs == nil:
		return unix.Mount(f.name, dir, f.name, 0, f.options)
	}
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		return err
	}
	defer os.Remove(image) // the loop device keeps it
	if err := os.Truncate(image, f.size); err != nil {
		return err
	}
	cmd := exec.Command(f.mkfs[0], append(slices.Clone(f.mkfs[1:]), image)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, out)
	}
	device, err := loop(image)
	if err != nil {
		return fmt.Errorf("loop device for %s: %w", image, err)
	}
	defer device.Close() // from here on the mount keeps it
	if err := unix.Mount(device.Name(), dir, f.name, 0, f.options); err != nil {
		return fmt.Errorf("mount %s at %s: %w", device.Name(), dir, err)
	}
	return nil
}

// mountOverlay has its layers in memory.
func mountOverlay(dir string) error {
	layers := dir + ".layers"
	if err := os.MkdirAll(layers, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", layers, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	var options []string
	for _, name := range []string{"lower", "upper", "work"} {
		layer := filepath.Join(layers, name)
		if err := os.Mkdir(layer, 0o755); err != nil {
			return err
		}
		options = append(options, name+"dir="+layer)
	}
	return unix.Mount("overlay", dir, "overlay", 0, strings.Join(options, ","))
}

// loop attaches image to a free loop device, which frees itself after its last
// user; see loop(4).
func loop(image string) (*os.File, error) {
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	backing, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer backing.Close()
	for {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, err
		}
		device, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", n), os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		config := unix.LoopConfig{Fd: uint32(backing.Fd())}
		config.Info.Flags = unix.LO_FLAGS_AUTOCLEAR
		err = unix.IoctlLoopConfigure(int(device.Fd()), &config)
		if err == nil {
			return device, nil
		}
		device.Close()
		if !errors.Is(err, unix.EBUSY) { // somebody else took it
			return nil, err
		}
	}
}

// unmountBelow detaches every mount at or below dir, the last one first.
func unmountBelow(dir string) error {
	mounts, err := mountinfo.GetMounts(mountinfo.PrefixFilter(dir))
	if err != nil {
		return err
	}
	slices.Reverse(mounts)
	for _, m := range mounts {
		if err := unix.Unmount(m.Mountpoint, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("unmount %s: %w", m.Mountpoint, err)
		}
	}
	return nil
}

func TestAFreshFilesystemIsMountedAndGoesAway(t *testing.T) {
	for name := range strings.SplitSeq(*fsFlag, ",") {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "w")
			if err := wanted(t, name).mount(dir, dir+".img"); err != nil {
				t.Fatal(err)
			}
			info, err := mountinfo.GetMounts(mountinfo.SingleEntryFilter(dir))
			if err != nil || len(info) != 1 || info[0].FSType != name {
				t.Errorf("mounted: %v, %v", info, err)
			}
			if err := unmountBelow(dir); err != nil {
				t.Fatal(err)
			}
			if mounted, err := mountinfo.Mounted(dir); mounted || err != nil {
				t.Errorf("still mounted: %v, %v", mounted, err)
			}
		})
	}
}
