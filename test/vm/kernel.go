// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Kernel is a series of Linux and the Debian suites that carry it, the
// preferred one first.
type Kernel struct {
	Name   string
	Suites []string
}

// Kernels is the matrix. The oldest is the oldest that fim supports; the newest
// is what distributions ship next, and moves with sid.
var Kernels = []Kernel{
	{"5.10", []string{"bullseye"}},
	{"6.1", []string{"bookworm"}},
	{"6.12", []string{"trixie"}},
	{"7.2", []string{"sid", "forky"}},
}

// flavour is the build for virtual machines: the same code and options as the
// plain one with fewer drivers. It has every filesystem that the tests use.
const flavour = "cloud-amd64"

// Image is a kernel of the cache.
type Image struct {
	Name    string // row of [Kernels]
	Release string // what uname -r says
	Version string // of the Debian package
	dir     string
}

// The files of a kernel in the cache.
const (
	kernelFile  = "vmlinuz"
	modulesFile = "modules.ext4" // for /lib/modules
	earlyDir    = "early"        // modules to insert before any disk is seen, in order of name
	releaseFile = "release"
)

func (i Image) path(name string) string { return filepath.Join(i.dir, name) }

func findKernel(name string) (Kernel, error) {
	var names []string
	for _, k := range Kernels {
		if k.Name == name {
			return k, nil
		}
		names = append(names, k.Name)
	}
	return Kernel{}, fmt.Errorf("vm: no kernel %q: choose one of %s", name, strings.Join(names, ", "))
}

// Kernel returns the cached kernel of that name, and downloads the newest one
// when there is none.
func (c *Cache) Kernel(ctx context.Context, name string) (Image, error) {
	k, err := findKernel(name)
	if err != nil {
		return Image{}, err
	}
	image, err := c.current(k)
	if errors.Is(err, fs.ErrNotExist) {
		return c.Update(ctx, name)
	}
	return image, err
}

// Update asks the mirror for the newest version of a kernel and makes it the
// one in use. Versions that were in use before stay in the cache.
func (c *Cache) Update(ctx context.Context, name string) (image Image, err error) {
	k, err := findKernel(name)
	if err != nil {
		return Image{}, err
	}
	err = c.locked(ctx, func() error {
		image, err = c.update(ctx, k)
		return err
	})
	return image, err
}

func (c *Cache) kernelDir(k Kernel) string { return filepath.Join(c.Dir, "kernels", k.Name) }

// current reads the kernel in use; fs.ErrNotExist when none is.
func (c *Cache) current(k Kernel) (Image, error) {
	version, err := os.Readlink(filepath.Join(c.kernelDir(k), "current"))
	if err != nil {
		return Image{}, err
	}
	dir := filepath.Join(c.kernelDir(k), version)
	release, err := os.ReadFile(filepath.Join(dir, releaseFile))
	if err != nil {
		return Image{}, err
	}
	return Image{Name: k.Name, Release: string(release), Version: version, dir: dir}, nil
}

func (c *Cache) update(ctx context.Context, k Kernel) (Image, error) {
	a, p, err := c.newest(ctx, k)
	if err != nil {
		return Image{}, err
	}
	dir := filepath.Join(c.kernelDir(k), p.Version)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		c.logf("kernel %s: downloading %s %s", k.Name, p.Name, p.Version)
		err := build(ctx, dir, func(ctx context.Context, tmp string) error {
			return a.unpackKernel(ctx, tmp, p)
		})
		if err != nil {
			return Image{}, fmt.Errorf("vm: kernel %s: %w", k.Name, err)
		}
	}
	if err := relink(p.Version, filepath.Join(c.kernelDir(k), "current")); err != nil {
		return Image{}, fmt.Errorf("vm: %w", err)
	}
	return c.current(k)
}

// relink points a symbolic link at target in one step.
func relink(target, link string) error {
	tmp := link + ".part"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(target, tmp); err != nil {
		return err
	}
	return os.Rename(tmp, link)
}

// newest finds the series' newest package. A suite keeps several, since each
// release of the kernel's ABI is a package of its own.
func (c *Cache) newest(ctx context.Context, k Kernel) (*archive, pkg, error) {
	pattern := `^linux-image-` + regexp.QuoteMeta(k.Name) + `\.[0-9].*[0-9]-` + flavour + `$`
	for _, suite := range k.Suites {
		a, err := c.open(ctx, suite)
		if err != nil {
			return nil, pkg{}, err
		}
		names, err := a.search(ctx, pattern)
		if err != nil {
			return nil, pkg{}, err
		}
		if p, err := a.newestOf(ctx, names); err != nil || p.Name != "" {
			return a, p, err
		}
	}
	return nil, pkg{}, fmt.Errorf("vm: kernel %s: Debian %s has it no longer: add the suite that has it, or the kernel that took its place, to Kernels in test/vm/kernel.go",
		k.Name, strings.Join(k.Suites, " or "))
}

// newestOf compares as dpkg does; the zero pkg when there are no names.
func (a *archive) newestOf(ctx context.Context, names []string) (pkg, error) {
	var best pkg
	for _, name := range names {
		p, err := a.show(ctx, name)
		if err != nil {
			return pkg{}, err
		}
		if best.Name == "" || command(ctx, "dpkg", "--compare-versions", p.Version, "gt", best.Version).Run() == nil {
			best = p
		}
	}
	return best, nil
}
