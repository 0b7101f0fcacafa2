// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// earlyModules are what a kernel needs to see a virtio disk. Some have them
// built in; modprobe knows, and knows what else each of them needs.
var earlyModules = []string{"virtio_pci", "virtio_blk"}

// splitPackage matches what the image package depends on since Linux 7: there
// the kernel and its modules are packages of their own.
var splitPackage = regexp.MustCompile(`^(linux-(?:binary|modules|base)-[0-9]\S*) \(= (\S+)\)$`)

// unpackKernel downloads an image package with its parts into dir and leaves
// the files there that Image names. Nothing is installed.
func (a *archive) unpackKernel(ctx context.Context, dir string, image pkg) error {
	work := filepath.Join(dir, "work")
	root := filepath.Join(work, "root")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	if err := a.download(ctx, work, image.parts()); err != nil {
		return err
	}
	debs, err := filepath.Glob(filepath.Join(work, "*.deb"))
	if err != nil {
		return err
	}
	for _, deb := range debs {
		if err := run(command(ctx, "dpkg-deb", "-x", deb, root)); err != nil {
			return err
		}
	}
	release := strings.TrimPrefix(image.Name, "linux-image-")
	if err := install(ctx, dir, root, release); err != nil {
		return err
	}
	return os.RemoveAll(work)
}

// parts returns the packages that hold the kernel: the image package itself,
// and those that it is split into.
func (p pkg) parts() []pkg {
	parts := []pkg{p}
	for _, d := range p.Depends {
		if m := splitPackage.FindStringSubmatch(d); m != nil {
			parts = append(parts, pkg{Name: m[1], Version: m[2]})
		}
	}
	return parts
}

// install makes the cache's files in dir from the unpacked packages in root.
func install(ctx context.Context, dir, root, release string) error {
	vmlinuz, err := oneOf(root, "boot/vmlinuz-"+release, "usr/lib/modules/"+release+"/vmlinuz")
	if err != nil {
		return err
	}
	modules, err := oneOf(root, "lib/modules", "usr/lib/modules")
	if err != nil {
		return err
	}
	base := strings.TrimSuffix(modules, "/lib/modules")
	if err := os.Rename(vmlinuz, filepath.Join(dir, kernelFile)); err != nil {
		return err
	}
	// The lists of dependencies are made when the package is installed, which
	// it is not.
	if err := run(command(ctx, "depmod", "-b", base, release)); err != nil {
		return err
	}
	if err := extractEarly(ctx, filepath.Join(dir, earlyDir), base, release); err != nil {
		return err
	}
	if err := makeExt4(ctx, filepath.Join(dir, modulesFile), modules, 0); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, releaseFile), []byte(release), 0o644)
}

// oneOf returns the first of the paths that exists below root.
func oneOf(root string, paths ...string) (string, error) {
	for _, p := range paths {
		if _, err := os.Stat(filepath.Join(root, p)); err == nil {
			return filepath.Join(root, p), nil
		}
	}
	return "", fmt.Errorf("the packages hold none of %s", strings.Join(paths, ", "))
}

// extractEarly writes the early modules into dir, uncompressed, under names
// that sort in the order of insertion.
func extractEarly(ctx context.Context, dir, base, release string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	paths, err := insertions(ctx, base, release, earlyModules)
	if err != nil {
		return err
	}
	for i, path := range paths {
		code, err := readModule(ctx, path)
		if err != nil {
			return err
		}
		name, _, _ := strings.Cut(filepath.Base(path), ".")
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d-%s.ko", i, name)), code, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// insertions returns the files to insert for the named modules, dependencies
// first, none twice.
func insertions(ctx context.Context, base, release string, names []string) ([]string, error) {
	var paths []string
	for _, name := range names {
		out, err := output(command(ctx, "modprobe", "-d", base, "-S", release, "--show-depends", name))
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(out) { // "insmod FILE OPTIONS" or "builtin NAME"
			f := strings.Fields(line)
			if len(f) > 1 && f[0] == "insmod" && !slices.Contains(paths, f[1]) {
				paths = append(paths, f[1])
			}
		}
	}
	return paths, nil
}

// readModule returns the module itself: busybox inserts no compressed ones.
func readModule(ctx context.Context, path string) ([]byte, error) {
	if filepath.Ext(path) != ".xz" {
		return os.ReadFile(path)
	}
	out, err := output(command(ctx, "xz", "-dc", path))
	return []byte(out), err
}
