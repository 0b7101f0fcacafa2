// SPDX-License-Identifier: Apache-2.0

package process

import (
	"bytes"

	"golang.org/x/sys/unix"
)

// deletedMark is what d_path() of fs/d_path.c appends to the path of a file
// whose name is gone. A file may also be called so.
var deletedMark = []byte(" (deleted)")

// resolveCached is RESOLVE_CACHED of include/uapi/linux/openat2.h (Linux 5.12),
// which golang.org/x/sys lacks: fail instead of asking a filesystem.
const resolveCached = 0x20

// link returns where the link name of /proc/PID leads, without the mark that the
// kernel appends when that name was deleted; nil when it is not known. The path
// is the one in the mount namespace of the process.
func (r *Reader) link(dir int, name string, buf []byte) []byte {
	n, err := unix.Readlinkat(dir, name, buf)
	if err != nil || n == len(buf) || n == 0 || buf[0] != '/' {
		return nil // kernel threads have none; "(unreachable)/…" is no path
	}
	path := buf[:n]
	if bare, ok := bytes.CutSuffix(path, deletedMark); ok && !named(dir, name, path) {
		return bare
	}
	return path
}

// named says whether the file that the link leads to really is called path, in
// the root directory of its process. Only names that the kernel holds in memory
// are looked at, as those of files in use are: a process could otherwise have us
// wait forever for a filesystem of its own making.
func named(dir int, link string, path []byte) bool {
	var file, found unix.Stat_t
	if err := unix.Fstatat(dir, link, &file, unix.AT_NO_AUTOMOUNT); err != nil || file.Nlink == 0 {
		return false
	}
	root, err := unix.Openat(dir, "root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(root)
	fd, err := unix.Openat2(root, string(path), &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: resolveCached | unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_SYMLINKS,
	})
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return unix.Fstat(fd, &found) == nil && found.Dev == file.Dev && found.Ino == file.Ino
}
