// SPDX-License-Identifier: Apache-2.0

package mount

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// Mount is one line of a mount table, see proc_pid_mountinfo(5).
type Mount struct {
	ID     int
	Parent int // ID of the mount that it is mounted on; may not be in the table
	// Dev is the major:minor of the filesystem as st_dev would encode it.
	Dev uint64
	// Root is the directory or file of the filesystem that is mounted, as a path
	// inside the filesystem. "//deleted" at its end says that it is gone; a
	// namespace file has a name such as "net:[4026531840]".
	Root string
	// Point is where it is mounted, as a path below the process's root.
	Point   string
	FSType  string // "ext4", "fuse.sshfs"
	Source  string // "/dev/vda1", "server:/export", anything
	Options string // of this mount, not of the filesystem: "rw,nosuid"
}

// Read reads a mount table from a file such as /proc/1/mountinfo. The kernel
// writes it in pieces, so a mount that changes meanwhile may be in it as it was,
// as it is, or not at all: poll(2) on the open file tells of every change
// (POLLPRI), and the table is to be read again then.
func Read(path string) (*Table, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read mount table: %w", err)
	}
	defer f.Close()
	t, err := Parse(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// Parse reads a mount table from the text of a mountinfo file. It is an error
// if a line is not one of mountinfo, which the kernel never writes.
func Parse(r io.Reader) (*Table, error) {
	var mounts []Mount
	lines := bufio.NewReader(r)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("read mount table: %w", err)
		}
		if len(line) == 0 {
			return newTable(mounts), nil
		}
		m, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("mount table, line %d: %w: %.200q", n, err, line)
		}
		mounts = append(mounts, m)
	}
}

// maxLine is what the library's scanner takes. Only filesystem options can make
// a line longer, such as overlayfs with hundreds of layers; they come last and
// are not used.
const maxLine = bufio.MaxScanTokenSize - 1

var errLine = errors.New("not a line of proc_pid_mountinfo(5)")

func parseLine(line []byte) (Mount, error) {
	line = bytes.TrimSuffix(line, []byte{'\n'})
	infos, err := mountinfo.GetMountsFromReader(bytes.NewReader(line[:min(len(line), maxLine)]), nil)
	if err != nil || len(infos) != 1 {
		return Mount{}, errLine // the library's error repeats the line unquoted
	}
	i := infos[0]
	// The library makes 0 of what is not a number. No mount that is listed has the
	// ID 0, no filesystem the device 0:0; a device has 12 and 20 bits.
	badDevice := i.Major < 0 || i.Major >= 1<<12 || i.Minor < 0 || i.Minor >= 1<<20 || i.Major == 0 && i.Minor == 0
	if i.ID <= 0 || i.Parent < 0 || badDevice || !clean([]byte(i.Mountpoint)) {
		return Mount{}, errLine
	}
	return Mount{
		ID: i.ID, Parent: i.Parent, Dev: unix.Mkdev(uint32(i.Major), uint32(i.Minor)),
		Root: i.Root, Point: i.Mountpoint, FSType: i.FSType, Source: i.Source, Options: i.Options,
	}, nil
}
