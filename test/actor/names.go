// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// nameSteps make, move and remove names.
var nameSteps = []step{
	{"mkdir", "PATH...", each(func(p string) error { return unix.Mkdir(p, 0o755) })},
	{"mkdirs", "PATH", mkdirs},
	{"rmdir", "PATH...", each(unix.Rmdir)},
	{"rmtree", "PATH", rmtree},
	{"unlink", "PATH...", each(unix.Unlink)},
	{"rename", "OLD NEW", func(a []string) error { return renameat2(a, 0) }},
	{"exchange", "A B", func(a []string) error { return renameat2(a, unix.RENAME_EXCHANGE) }},
	{"noreplace", "OLD NEW", func(a []string) error { return renameat2(a, unix.RENAME_NOREPLACE) }},
	{"whiteout", "OLD NEW", func(a []string) error { return renameat2(a, unix.RENAME_WHITEOUT) }},
	{"link", "OLD NEW", func(a []string) error { return unix.Link(a[0], a[1]) }},
	{"symlink", "TARGET PATH", func(a []string) error { return unix.Symlink(a[0], a[1]) }},
	{"mknod", "fifo|regular|char|block PATH", mknod},
	{"bind", "PATH", bindSocket},
	{"fill", "DIR COUNT", fill},
}

// each returns a step that does the same to every path.
func each(do func(path string) error) func([]string) error {
	return func(paths []string) error {
		for _, p := range paths {
			if err := do(p); err != nil {
				return fmt.Errorf("%q: %w", p, err)
			}
		}
		return nil
	}
}

func renameat2(a []string, flags uint) error {
	return unix.Renameat2(unix.AT_FDCWD, a[0], unix.AT_FDCWD, a[1], flags)
}

// mkdirs makes the directories of a path that do not exist, outermost first.
func mkdirs(a []string) error {
	for end := 1; end <= len(a[0]); end++ {
		if end < len(a[0]) && a[0][end] != '/' {
			continue
		}
		if err := unix.Mkdir(a[0][:end], 0o755); err != nil && !errors.Is(err, unix.EEXIST) {
			return err
		}
	}
	return nil
}

// rmtree removes a tree depth first, the names of a directory in byte order,
// so that a scenario can state the order.
func rmtree(a []string) error {
	entries, err := os.ReadDir(a[0])
	if err != nil {
		return err
	}
	for _, entry := range entries {
		path := filepath.Join(a[0], entry.Name())
		if entry.IsDir() {
			err = rmtree([]string{path})
		} else {
			err = unix.Unlink(path)
		}
		if err != nil {
			return fmt.Errorf("%q: %w", path, err)
		}
	}
	return unix.Rmdir(a[0])
}

// mknod makes a node; the devices are those of /dev/null and /dev/loop0.
func mknod(a []string) error {
	kinds := map[string]struct {
		mode uint32
		dev  uint64
	}{
		"fifo":    {unix.S_IFIFO, 0},
		"regular": {unix.S_IFREG, 0},
		"char":    {unix.S_IFCHR, unix.Mkdev(1, 3)},
		"block":   {unix.S_IFBLK, unix.Mkdev(7, 0)},
	}
	kind, ok := kinds[a[0]]
	if !ok {
		return fmt.Errorf("no kind of node %q", a[0])
	}
	return unix.Mknod(a[1], kind.mode|0o644, int(kind.dev))
}

// bindSocket makes a socket with a name in the filesystem, as bind(2) does.
func bindSocket(a []string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: a[0]}), unix.Close(fd))
}

// fill creates COUNT empty files 0, 1, 2, … in a directory.
func fill(a []string) error {
	count, err := strconv.Atoi(a[1])
	if err != nil {
		return err
	}
	for i := range count {
		path := strings.TrimSuffix(a[0], "/") + "/" + strconv.Itoa(i)
		if err := with(path, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, nothing); err != nil {
			return err
		}
	}
	return nil
}
