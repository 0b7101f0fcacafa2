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
}

// mountAt makes a fresh filesystem and mounts it.
func mountAt(name, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if name == "overlay" {
		return mountOverlay(dir)
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

// mountOverlay has both of its layers in memory.
func mountOverlay(dir string) error {
	layers := dir + ".layers"
	if err := mountAt("tmpfs", layers); err != nil {
		return err
	}
	var options []string
	for _, layer := range []string{"lowerdir", "upperdir", "workdir"} {
		path := filepath.Join(layers, layer)
		if err := os.Mkdir(path, 0o755); err != nil {
			return err
		}
		options = append(options, layer+"="+path)
	}
	return unix.Mount("overlay", dir, "overlay", 0, strings.Join(options, ","))
}

func run(words ...string) error {
	if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(words, " "), err, out)
	}
	return nil
}
