// SPDX-License-Identifier: Apache-2.0

package source

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/watch"
)

// logDirs are where services append all day long.
var logDirs = []string{"/var/log", "/var/log/journal", "/var/lib/docker/containers", "/run/log/journal"}

// warn warns of watches that feed on themselves: directories of logs,
// where somebody may write a line about each event, and files that this very
// process writes. The writes of this process are left out of the stream, but
// those of a program that copies its output are not.
func (c *Config) warn(set *watch.Set) {
	for _, dir := range logDirs {
		if name, ok := set.Match([]byte(dir + "/x")); ok {
			c.logf("watch %s covers %s, where logs are written all the time: each line is an event; exclude it unless that is wanted", name, dir)
		}
	}
	c.warnHost()
	if c.HostRoot != "/" {
		return // our own paths are not those of the host
	}
	for _, path := range writtenFiles() {
		if name, ok := set.Match([]byte(path)); ok {
			c.logf("watch %s covers %s, which this process writes: its own writes are left out; if another program copies them, exclude the file", name, path)
		}
	}
}

// writtenFiles returns the paths of the regular files that this process has
// open for writing.
func writtenFiles() []string {
	const fds = "/proc/self/fd"
	entries, err := os.ReadDir(fds)
	if err != nil {
		return nil // no procfs: nothing can be said
	}
	var paths []string
	for _, entry := range entries {
		path, err := os.Readlink(fds + "/" + entry.Name())
		if err == nil && writesFile(entry.Name()) {
			paths = append(paths, path)
		}
	}
	return paths
}

// writesFile says whether the descriptor with this number, which may have been
// closed meanwhile, is a regular file open for writing.
func writesFile(number string) bool {
	fd, err := strconv.Atoi(number)
	if err != nil {
		return false
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_ACCMODE == unix.O_RDONLY {
		return false
	}
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG
}
