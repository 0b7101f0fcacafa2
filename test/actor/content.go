// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// contentSteps open files and change what is in them. Those that take a path
// open, do one thing and close.
var contentSteps = []step{
	{"create", "PATH [TEXT]", func(a []string) error {
		return with(a[0], unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, writeAll(a[1:]))
	}},
	{"open", "FLAGS PATH", func(a []string) error {
		flags, err := openFlags(a[0])
		if err != nil {
			return err
		}
		return with(a[1], flags, nothing)
	}},
	{"read", "PATH", func(a []string) error { return with(a[0], unix.O_RDONLY, readSome) }},
	{"write", "PATH TEXT", func(a []string) error { return with(a[0], unix.O_WRONLY, writeAll(a[1:])) }},
	{"append", "PATH TEXT", func(a []string) error {
		return with(a[0], unix.O_WRONLY|unix.O_APPEND, writeAll(a[1:]))
	}},
	{"overwrite", "PATH TEXT", func(a []string) error {
		return with(a[0], unix.O_WRONLY|unix.O_TRUNC, writeAll(a[1:]))
	}},
	{"pwrite", "PATH OFFSET TEXT", pwrite},
	{"writev", "PATH TEXT...", writev},
	{"pwritev2", "PATH OFFSET TEXT", pwritev2},
	{"truncate", "PATH SIZE", func(a []string) error {
		return sized(a[1], func(n int64) error { return unix.Truncate(a[0], n) })
	}},
	{"ftruncate", "PATH SIZE", func(a []string) error {
		return with(a[0], unix.O_WRONLY, func(fd int) error {
			return sized(a[1], func(n int64) error { return unix.Ftruncate(fd, n) })
		})
	}},
	{"fallocate", "PATH SIZE", func(a []string) error {
		return with(a[0], unix.O_WRONLY, func(fd int) error {
			return sized(a[1], func(n int64) error { return unix.Fallocate(fd, 0, 0, n) })
		})
	}},
	{"punch", "PATH OFFSET SIZE", punch},
	{"copy_file_range", "FROM TO", func(a []string) error { return between(a, copyFileRange) }},
	{"sendfile", "FROM TO", func(a []string) error { return between(a, sendfile) }},
	{"splice", "TEXT TO", splice},
	{"reflink", "FROM TO", func(a []string) error {
		return between(a, func(from, to, size int) (int, error) { return size, unix.IoctlFileClone(to, from) })
	}},
	{"memfd", "TEXT", memfd},
	{"tmpfile", "DIR TEXT PATH", tmpfile},
}

// flagNames are the O_ flags that scenarios use, by their names in open(2).
var flagNames = map[string]int{
	"rdonly": unix.O_RDONLY, "wronly": unix.O_WRONLY, "rdwr": unix.O_RDWR,
	"creat": unix.O_CREAT, "excl": unix.O_EXCL, "trunc": unix.O_TRUNC, "append": unix.O_APPEND,
	"nofollow": unix.O_NOFOLLOW, "nonblock": unix.O_NONBLOCK, "path": unix.O_PATH,
	"directory": unix.O_DIRECTORY,
}

// openFlags reads flags as in "wronly|creat".
func openFlags(text string) (flags int, err error) {
	for name := range strings.SplitSeq(text, "|") {
		f, ok := flagNames[name]
		if !ok {
			return 0, fmt.Errorf("no open flag %q", name)
		}
		flags |= f
	}
	return flags, nil
}

// with opens path, does something with the descriptor and closes it.
func with(path string, flags int, do func(fd int) error) error {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(do(fd), unix.Close(fd))
}

func nothing(int) error { return nil }

func readSome(fd int) error {
	_, err := unix.Read(fd, make([]byte, 1))
	return err
}

// writeAll returns what writes each text with one write(2).
func writeAll(texts []string) func(fd int) error {
	return func(fd int) error {
		for _, text := range texts {
			n, err := unix.Write(fd, []byte(text))
			if err = whole(n, len(text), err); err != nil {
				return err
			}
		}
		return nil
	}
}

// whole turns a short transfer into an error: a scenario states what it wrote.
func whole(n, want int, err error) error {
	if err == nil && n != want {
		return fmt.Errorf("transferred %d bytes of %d", n, want)
	}
	return err
}

// sized reads a size in bytes for do.
func sized(text string, do func(int64) error) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return err
	}
	return do(n)
}

func pwrite(a []string) error {
	return with(a[0], unix.O_WRONLY, func(fd int) error {
		return sized(a[1], func(offset int64) error {
			n, err := unix.Pwrite(fd, []byte(a[2]), offset)
			return whole(n, len(a[2]), err)
		})
	})
}

// pwritev2 writes two halves with one call.
func pwritev2(a []string) error {
	return with(a[0], unix.O_WRONLY, func(fd int) error {
		return sized(a[1], func(offset int64) error {
			text, half := []byte(a[2]), len(a[2])/2
			n, err := unix.Pwritev2(fd, [][]byte{text[:half], text[half:]}, offset, unix.RWF_DSYNC)
			return whole(n, len(text), err)
		})
	})
}

func writev(a []string) error {
	var iovs [][]byte
	var total int
	for _, text := range a[1:] {
		iovs, total = append(iovs, []byte(text)), total+len(text)
	}
	return with(a[0], unix.O_WRONLY, func(fd int) error {
		n, err := unix.Writev(fd, iovs)
		return whole(n, total, err)
	})
}

// punch turns a part of a file into a hole, which reads as zeros.
func punch(a []string) error {
	return with(a[0], unix.O_WRONLY, func(fd int) error {
		return sized(a[1], func(offset int64) error {
			return sized(a[2], func(size int64) error {
				return unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, offset, size)
			})
		})
	})
}

// between opens FROM for reading and TO for writing and transfers all of it.
func between(a []string, transfer func(from, to, size int) (int, error)) error {
	return with(a[0], unix.O_RDONLY, func(from int) error {
		var st unix.Stat_t
		if err := unix.Fstat(from, &st); err != nil {
			return err
		}
		return with(a[1], unix.O_WRONLY, func(to int) error {
			n, err := transfer(from, to, int(st.Size))
			return whole(n, int(st.Size), err)
		})
	})
}

func copyFileRange(from, to, size int) (int, error) {
	return unix.CopyFileRange(from, nil, to, nil, size, 0)
}

func sendfile(from, to, size int) (int, error) { return unix.Sendfile(to, from, nil, size) }

// splice moves text from a pipe into a file.
func splice(a []string) error {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	if err := writeAll(a[:1])(pipe[1]); err != nil {
		return err
	}
	return with(a[1], unix.O_WRONLY, func(to int) error {
		n, err := unix.Splice(pipe[0], nil, to, nil, len(a[0]), 0)
		return whole(int(n), len(a[0]), err)
	})
}

// memfd writes to a file that has no name in any directory.
func memfd(a []string) error {
	fd, err := unix.MemfdCreate("actor", unix.MFD_CLOEXEC)
	if err != nil {
		return err
	}
	return errors.Join(writeAll(a)(fd), unix.Close(fd))
}

// tmpfile writes a file without a name and then publishes it, the way open(2)
// describes for O_TMPFILE.
func tmpfile(a []string) error {
	return with(a[0], unix.O_TMPFILE|unix.O_WRONLY, func(fd int) error {
		if err := writeAll(a[1:2])(fd); err != nil {
			return err
		}
		self := fmt.Sprintf("/proc/self/fd/%d", fd)
		return unix.Linkat(unix.AT_FDCWD, self, unix.AT_FDCWD, a[2], unix.AT_SYMLINK_FOLLOW)
	})
}
