// SPDX-License-Identifier: Apache-2.0

package process

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Host is the host's root directory, whose files name users and containers. Paths
// are relative to it, and symbolic links on the way lead nowhere else, as they
// would for a process of the host.
type Host struct{ root int }

// OpenHost opens the directory where the host's root is mounted.
func OpenHost(root string) (*Host, error) {
	fd, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open the host's root %s: %w", root, err)
	}
	return &Host{fd}, nil
}

// Close releases the directory.
func (h *Host) Close() error { return unix.Close(h.root) }

// errSpecial is said of what is neither a file nor a directory: opening a pipe or
// a device may wait or do something.
var errSpecial = errors.New("not a regular file or directory")

// patience is how often a path is walked that changes meanwhile.
const patience = 5

// open opens a regular file or a directory, whoever swaps it meanwhile.
func (h *Host) open(name string) (fd int, now stamp, err error) {
	how := unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	}
	for range patience {
		if fd, err = unix.Openat2(h.root, name, &how); err != unix.EAGAIN {
			break // else something was moved while the path was walked
		}
	}
	if err != nil {
		return -1, stamp{}, fmt.Errorf("open %s on the host: %w", name, err)
	}
	if now, err = stampOf(fd); err != nil {
		unix.Close(fd)
		return -1, stamp{}, fmt.Errorf("open %s on the host: %w", name, err)
	}
	return fd, now, nil
}

// stamp returns the stamp of a file or directory, or the zero stamp.
func (h *Host) stamp(name string) stamp {
	fd, now, err := h.open(name)
	if err != nil {
		return stamp{}
	}
	unix.Close(fd)
	return now
}

// read returns the first limit bytes of a file.
func (h *Host) read(name string, limit int) (text []byte, at stamp, err error) {
	fd, at, err := h.open(name)
	if err != nil {
		return nil, stamp{}, err
	}
	defer unix.Close(fd)
	text, err = readAll(fd, at.size, limit)
	if err != nil {
		return nil, stamp{}, fmt.Errorf("read %s on the host: %w", name, err)
	}
	return text, at, nil
}

// readAll reads up to limit bytes; a file of size is read in one go.
func readAll(fd int, size int64, limit int) ([]byte, error) {
	text := make([]byte, min(int(size)+1, limit))
	for n := 0; ; {
		m, err := unix.Read(fd, text[n:])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, err
		case m == 0:
			return text[:n], nil
		}
		if n += m; n == len(text) {
			if n == limit {
				return text, nil
			}
			text = append(text, make([]byte, min(n, limit-n))...) // it has grown
		}
	}
}

// list returns the names in a directory, at most limit of them, in no order.
func (h *Host) list(name string, limit int) ([]string, error) {
	fd, _, err := h.open(name)
	if err != nil {
		return nil, err
	}
	dir := os.NewFile(uintptr(fd), name)
	defer dir.Close()
	names, err := dir.Readdirnames(limit)
	if len(names) > 0 {
		return names, nil
	}
	return nil, err // io.EOF of an empty one
}

// stamp tells two states of a file apart. Whoever replaces a file by another
// changes the status of the old one: it loses a name.
type stamp struct {
	dev, inode   uint64
	size         int64
	mtime, ctime unix.Timespec
	mode         uint32
}

func stampOf(fd int) (s stamp, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return s, err
	}
	if kind := st.Mode & unix.S_IFMT; kind != unix.S_IFREG && kind != unix.S_IFDIR {
		return s, errSpecial
	}
	return stamp{st.Dev, st.Ino, st.Size, st.Mtim, st.Ctim, st.Mode}, nil
}

// tick is how coarse the times of files are, at most: a change within it may leave
// the stamp as it is. In nanoseconds.
const tick = 20_000_000

// settled says whether a change after now, on the clock of files, changes s.
func (s *stamp) settled(now int64) bool {
	return now > s.ctime.Nano()+tick && now > s.mtime.Nano()+tick
}

// wall returns the time as files have it, in nanoseconds.
func wall() int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_REALTIME, &t) // cannot fail for a clock that exists
	return t.Nano()
}
