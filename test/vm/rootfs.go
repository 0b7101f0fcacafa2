// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// rootSuite is the Debian release of the guests' user space, one for every
// kernel: a current one runs on the oldest kernel here.
const rootSuite = "trixie"

// rootPackages are added to Debian's minimal set: what tests use to change
// files in every way, and what a container needs. git and logrotate, which pull
// in perl and systemd, are left to the machine that tests run on.
var rootPackages = []string{
	"acl", "attr", "btrfs-progs", "dosfstools", "e2fsprogs", "iproute2", "kmod", "mount", "nano", "procps", "rsync", "runc", "util-linux",
	"vim-tiny", "xfsprogs",
}

// rootUnused is what a test never reads, about half of the tree.
var rootUnused = []string{
	"usr/share/doc", "usr/share/info", "usr/share/locale", "usr/share/man", "var/cache/apt", "var/lib/apt/lists",
}

// rootSpare is what a guest may write to its root filesystem, in bytes.
const rootSpare = 1 << 30

const rootFile = "root.ext4"

// Root returns the root filesystem's image, and builds it when it is missing.
func (c *Cache) Root(ctx context.Context) (string, error) {
	dir := filepath.Join(c.Dir, "roots", rootRecipe())
	image := filepath.Join(dir, rootFile)
	if _, err := os.Stat(image); err == nil {
		return image, nil
	}
	err := c.locked(ctx, func() error {
		if _, err := os.Stat(image); !errors.Is(err, fs.ErrNotExist) {
			return err // another process built it meanwhile
		}
		return build(ctx, dir, c.buildRoot)
	})
	if err != nil {
		return "", fmt.Errorf("vm: build the root filesystem: %w", err)
	}
	return image, nil
}

// rootRecipe is a hash of everything that decides what is in the image, so
// that a change of the lists above builds another.
func rootRecipe() string {
	recipe := fmt.Sprint(rootSuite, rootPackages, rootUnused, rootSpare)
	return fmt.Sprintf("%x", sha256.Sum256([]byte(recipe)))[:12]
}

func (c *Cache) buildRoot(ctx context.Context, dir string) error {
	if os.Geteuid() != 0 {
		return errors.New("debootstrap installs packages into a new root directory, which takes root")
	}
	mirror, err := c.mirror(ctx)
	if err != nil {
		return err
	}
	tree := filepath.Join(dir, "tree")
	c.logf("building a root filesystem of Debian %s (once, about a minute)", rootSuite)
	cmd := command(ctx, "debootstrap", "--variant=minbase", "--arch=amd64", "--force-check-gpg", "--keyring="+keyring,
		"--include="+strings.Join(rootPackages, ","), rootSuite, tree, mirror)
	// It mounts /proc and /sys in the tree. In a mount namespace of its own they
	// go with it, even when it is killed, and no removal of the tree meets them.
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if err := run(cmd); err != nil {
		return err
	}
	for _, p := range rootUnused {
		if err := os.RemoveAll(filepath.Join(tree, p)); err != nil {
			return err
		}
	}
	if err := makeExt4(ctx, filepath.Join(dir, rootFile), tree, rootSpare); err != nil {
		return err
	}
	return os.RemoveAll(tree)
}
