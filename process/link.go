// SPDX-License-Identifier: Apache-2.0

package process

import (
	"bytes"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

// deletedMark is what d_path() of fs/d_path.c appends to the path of a file
// whose name is gone. A file may also be called so.
var deletedMark = []byte(" (deleted)")

// resolveCached is RESOLVE_CACHED of include/uapi/linux/openat2.h (Linux 5.12),
// which golang.org/x/sys lacks: fail instead of asking a filesystem.
const resolveCached = 0x20

// link returns where the link name of /proc/PID leads, without the mark that the
// kernel appends when that name was deleted; nil when it is not known. The path
// is the one in the mount namespace of the process, and valid until the next call.
func (r *Reader) link(dir int, name string) []byte {
	n, err := unix.Readlinkat(dir, name, r.path)
	if err != nil || n == len(r.path) || n == 0 || r.path[0] != '/' {
		return nil // kernel threads have none; "(unreachable)/…" is no path
	}
	path := r.path[:n]
	if bare, ok := bytes.CutSuffix(path, deletedMark); ok && !isNamed(dir, name, path) {
		return bare
	}
	return path
}

// namespace returns the inode number of a namespace, whose link reads
// "mnt:[4026531841]".
func (r *Reader) namespace(dir int, name string) event.Uint {
	n, err := unix.Readlinkat(dir, name, r.path)
	if err != nil {
		return event.Uint{} // of another user's process this needs CAP_SYS_PTRACE
	}
	_, inode, ok := bytes.Cut(r.path[:n], []byte(":["))
	if !ok || !bytes.HasSuffix(inode, []byte("]")) {
		return event.Uint{}
	}
	v, ok := parseUint(inode[:len(inode)-1])
	return event.Uint{V: v, Known: ok}
}

// isNamed says whether the file that the link leads to really is called path, in
// the root directory of its process. Only names that the kernel holds in memory
// are looked at, as those of files in use are: a process could otherwise have us
// wait forever for a filesystem of its own making.
func isNamed(dir int, link string, path []byte) bool {
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
