// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// filesystem is a kind of filesystem that workers act on.
type filesystem struct {
	// mkfs makes one inside an image of that size; empty where the kernel makes it.
	mkfs    []string
	size    int64
	options string
}

var filesystems = map[string]filesystem{
	"tmpfs": {options: "mode=755"},
	"ext4":  {mkfs: []string{"mke2fs", "-q", "-F", "-t", "ext4"}, size: 64 << 20},
	"xfs":   {mkfs: []string{"mkfs.xfs", "-q", "-f"}, size: 320 << 20},
	"btrfs": {mkfs: []string{"mkfs.btrfs", "-q", "-f"}, size: 128 << 20},
	// It has no owners, and no files but regular ones and directories, of one name each.
	"vfat": {mkfs: []string{"mkfs.vfat", "-F", "32"}, size: 64 << 20},
}

// kindOf is the kind of a filesystem: "overlay-ext4" is an overlay with its layers on ext4.
func kindOf(name string) string {
	kind, _, _ := strings.Cut(name, "-")
	return kind
}

// layersOn is the filesystem that an overlay has its layers on, "" for others.
func layersOn(name string) string {
	_, layers, _ := strings.Cut(name, "-")
	return layers
}

// mountAt makes a fresh filesystem and mounts it.
func mountAt(name, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, ok := filesystems[name]
	if !ok {
		return fmt.Errorf("no filesystem %q", name)
	}
	if f.mkfs == nil {
		return unix.Mount(name, dir, name, 0, f.options)
	}
	return f.mountImage(name, dir)
}

// mountImage leaves the image to mount(8), which finds a loop device that goes away
// with the mount.
func (f filesystem) mountImage(name, dir string) error {
	image := dir + ".img"
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		return err
	}
	if err := os.Truncate(image, f.size); err != nil {
		return err
	}
	return errors.Join(run(append(f.mkfs, image)...), run("mount", "-o", "loop", "-t", name, image, dir))
}

// layers are the directories of an overlay.
type layers struct{ lower, upper, work string }

func layersBelow(dir string) layers {
	return layers{filepath.Join(dir, "lower"), filepath.Join(dir, "upper"), filepath.Join(dir, "work")}
}

func (l layers) make() error {
	return errors.Join(os.MkdirAll(l.lower, 0o755), os.MkdirAll(l.upper, 0o755), os.MkdirAll(l.work, 0o755))
}

// mount mounts them as one, in which directories that lie in the lower can be renamed.
func (l layers) mount(dir string) error {
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s,redirect_dir=on", l.lower, l.upper, l.work)
	return errors.Join(os.MkdirAll(dir, 0o755), unix.Mount("overlay", dir, "overlay", 0, options))
}

func run(words ...string) error {
	if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(words, " "), err, out)
	}
	return nil
}
