// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Cache is a directory of kernels and root filesystems, filled on first use:
//
//	apt/SUITE/                the archive's index, of apt
//	kernels/NAME/VERSION/     a kernel by its exact package version
//	kernels/NAME/current      link to the version in use
//	roots/RECIPE/root.ext4    a root filesystem by the hash of its recipe
//
// Deleting it, or any part of it, is safe while nothing runs.
type Cache struct {
	// Dir is the directory, made when missing.
	Dir string
	// Mirror is the URL of a Debian archive. Empty takes the one that this
	// machine's apt uses.
	Mirror string
	// Log receives a line for each long step. nil discards them.
	Log io.Writer
}

// DefaultDir is where the cache of this checkout is: $FIM_VM_CACHE, else
// .cache/vm beside the nearest go.mod above the working directory.
func DefaultDir() (string, error) {
	if dir := os.Getenv("FIM_VM_CACHE"); dir != "" {
		return dir, nil
	}
	wd, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("vm: %w", err)
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, ".cache", "vm"), nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("vm: no go.mod above %s: run inside the repository, or set FIM_VM_CACHE", wd)
		}
	}
}

func (c *Cache) logf(format string, args ...any) {
	if c.Log != nil {
		fmt.Fprintf(c.Log, "vm: "+format+"\n", args...)
	}
}

// locked runs f while no other process changes the cache. The lock goes with
// the process, so a killed one leaves none behind.
func (c *Cache) locked(ctx context.Context, f func() error) error {
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return fmt.Errorf("vm: make the cache: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(c.Dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return fmt.Errorf("vm: lock the cache: %w", err)
	}
	defer lock.Close()
	if err := c.flock(ctx, lock); err != nil {
		return fmt.Errorf("vm: lock %s: %w", lock.Name(), err)
	}
	return f()
}

// flock asks again and again, since a blocking flock(2) heeds no context.
func (c *Cache) flock(ctx context.Context, lock *os.File) error {
	for waited := false; ; waited = true {
		err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return err
		}
		if !waited {
			c.logf("waiting for another process that fills %s", c.Dir)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// build makes the directory dir by calling fill on an empty one beside it, so
// that dir is either whole or absent. Call it under the lock.
func build(ctx context.Context, dir string, fill func(ctx context.Context, tmp string) error) error {
	tmp := dir + ".part"
	if err := os.RemoveAll(tmp); err != nil { // what a killed process left
		return err
	}
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		return err
	}
	if err := fill(ctx, tmp); err != nil {
		return errors.Join(err, os.RemoveAll(tmp))
	}
	return os.Rename(tmp, dir)
}
