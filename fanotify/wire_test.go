// SPDX-License-Identifier: Apache-2.0

package fanotify

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// wireEvent builds an event as the kernel writes it.
func wireEvent(mask uint64, pid int32, infos ...[]byte) []byte {
	var b []byte
	b = binary.NativeEndian.AppendUint32(b, 0) // length, below
	b = append(b, unix.FANOTIFY_METADATA_VERSION, 0)
	b = binary.NativeEndian.AppendUint16(b, unix.FAN_EVENT_METADATA_LEN)
	b = binary.NativeEndian.AppendUint64(b, mask)
	b = binary.NativeEndian.AppendUint32(b, 0xffffffff) // no file descriptor
	b = binary.NativeEndian.AppendUint32(b, uint32(pid))
	b = append(b, bytes.Join(infos, nil)...)
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	return b
}

// wireInfo builds an information record, padded to a multiple of four.
func wireInfo(kind byte, body []byte) []byte {
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	b := binary.NativeEndian.AppendUint16([]byte{kind, 0}, uint16(infoHeaderLen+len(body)))
	return append(b, body...)
}

func wireRef(handle string) []byte {
	b := append([]byte{}, "fsid-id8"...)
	b = binary.NativeEndian.AppendUint32(b, uint32(len(handle)))
	b = binary.NativeEndian.AppendUint32(b, handleIno32)
	return append(b, handle...)
}

func wireNamed(handle, name string) []byte {
	return append(append(wireRef(handle), name...), 0)
}

func wirePidfd(fd int32) []byte {
	return wireInfo(unix.FAN_EVENT_INFO_TYPE_PIDFD, binary.NativeEndian.AppendUint32(nil, uint32(fd)))
}

func TestAnEventIsReadWithAllItsRecords(t *testing.T) {
	const name = "new\nline \xff"
	buf := wireEvent(unix.FAN_RENAME, 4711,
		wireInfo(unix.FAN_EVENT_INFO_TYPE_OLD_DFID_NAME, wireNamed("old-dir8", name)),
		wireInfo(unix.FAN_EVENT_INFO_TYPE_NEW_DFID_NAME, wireNamed("new-dir8", "n")),
		wireInfo(unix.FAN_EVENT_INFO_TYPE_FID, wireRef("object-8")),
		wireInfo(200, []byte("of a later kernel")),
		wirePidfd(9),
	)
	r, rest, err := parse(append(buf, "rest"...))
	if err != nil || string(rest) != "rest" {
		t.Fatalf("rest %q, %v", rest, err)
	}
	if r.mask != unix.FAN_RENAME || r.pid != 4711 || r.pidfd != 9 {
		t.Errorf("mask %#x, pid %d, pidfd %d", r.mask, r.pid, r.pidfd)
	}
	if string(r.name) != name || string(r.newName) != "n" {
		t.Errorf("names %q, %q", r.name, r.newName)
	}
	for what, r := range map[string]ref{"old-dir8": r.dir, "new-dir8": r.newDir, "object-8": r.object} {
		kind, data := r.handle()
		if id := r.fsid(); kind != handleIno32 || string(data) != what || string(id[:]) != "fsid-id8" {
			t.Errorf("%s: type %d, handle %q, fsid %q", what, kind, data, id)
		}
	}
}

func TestAnEventThatIsCutIsAnErrorWhereverItIsCut(t *testing.T) {
	buf := wireEvent(unix.FAN_CREATE, 1,
		wireInfo(unix.FAN_EVENT_INFO_TYPE_DFID_NAME, wireNamed("dir-of-8", "name")),
		wireInfo(unix.FAN_EVENT_INFO_TYPE_FID, wireRef("object-8")), wirePidfd(9))
	for n := range buf {
		if _, _, err := parse(buf[:n]); !errors.Is(err, errMalformed) {
			t.Errorf("%d of %d bytes: got %v", n, len(buf), err)
		}
		// The same, with a length that says that this is all of it.
		short := bytes.Clone(buf[:n])
		if n < unix.FAN_EVENT_METADATA_LEN {
			continue
		}
		binary.NativeEndian.PutUint32(short, uint32(n))
		if r, rest, err := parse(short); err == nil && (len(rest) > 0 || len(r.name) > 0 && string(r.name) != "name") {
			t.Errorf("%d bytes: taken as %+v", n, r)
		}
	}
}

func TestAMalformedEventIsSkippedAndThoseBehindItAreRead(t *testing.T) {
	bad := wireEvent(unix.FAN_CREATE, 1, wireInfo(unix.FAN_EVENT_INFO_TYPE_FID, []byte("short")))
	r, rest, err := parse(append(bad, wireEvent(unix.FAN_DELETE, 2)...))
	if !errors.Is(err, errMalformed) || r.pid != 1 {
		t.Fatalf("got %+v, %v", r, err)
	}
	if r, _, err = parse(rest); err != nil || r.mask != unix.FAN_DELETE {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestAPidfdIsKnownEvenWhenTheRestIsMalformed(t *testing.T) {
	r, _, err := parse(wireEvent(unix.FAN_CREATE, 1, wirePidfd(9), []byte{1, 0, 1, 0}))
	if err == nil || r.pidfd != 9 {
		t.Errorf("pidfd %d, %v", r.pidfd, err)
	}
}

func TestInodeNumbersAreReadFromTheHandlesThatAreKnown(t *testing.T) {
	words := func(n ...uint32) (b []byte) {
		for _, w := range n {
			b = binary.NativeEndian.AppendUint32(b, w)
		}
		return b
	}
	long := func(n uint64, rest ...uint32) []byte {
		return append(binary.NativeEndian.AppendUint64(nil, n), words(rest...)...)
	}
	const inode = 1<<40 + 7
	for name, c := range map[string]struct {
		kind      int32
		data      []byte
		inode     uint64
		subvolume uint64
	}{
		"ext4":             {handleIno32, words(12, 99), 12, 0},
		"ext4 and parent":  {handleIno32Parent, words(12, 99, 2, 0), 12, 0},
		"tmpfs":            {handleIno32, words(99, 7, 1<<8), inode, 0},
		"xfs":              {handleIno64, long(inode, 99), inode, 0},
		"btrfs":            {handleBtrfs, append(long(inode), long(256, 5)...), inode, 256},
		"unknown":          {0xfe, words(1, 2), 0, 0},
		"known, too short": {handleIno64, words(1, 2), 0, 0},
		"known, too long":  {handleIno32, words(1, 2, 3, 4), 0, 0},
		"nothing":          {0, nil, 0, 0},
	} {
		if got, sub := inodeOf(c.kind, c.data), subvolumeOf(c.kind, c.data); got != c.inode || sub != c.subvolume {
			t.Errorf("%s: got inode %d, subvolume %d; want %d, %d", name, got, sub, c.inode, c.subvolume)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(wireEvent(unix.FAN_RENAME, 1,
		wireInfo(unix.FAN_EVENT_INFO_TYPE_OLD_DFID_NAME, wireNamed("old-dir8", "a")),
		wireInfo(unix.FAN_EVENT_INFO_TYPE_NEW_DFID_NAME, wireNamed("new-dir8", "b")),
		wireInfo(unix.FAN_EVENT_INFO_TYPE_FID, wireRef("object-8")), wirePidfd(-1)))
	f.Add(wireEvent(unix.FAN_Q_OVERFLOW, 0))
	f.Fuzz(func(t *testing.T, buf []byte) {
		for len(buf) > 0 {
			r, rest, err := parse(buf)
			if len(rest) >= len(buf) {
				t.Fatal("nothing was read")
			}
			buf = rest
			if err != nil {
				continue
			}
			for _, ref := range []ref{r.object, r.dir, r.newDir} {
				if len(ref) > 0 {
					kind, data := ref.handle()
					inodeOf(kind, data)
					subvolumeOf(kind, data)
				}
			}
			if bytes.IndexByte(r.name, 0) >= 0 || bytes.IndexByte(r.newName, 0) >= 0 {
				t.Fatalf("NUL in a name: %q, %q", r.name, r.newName)
			}
		}
	})
}
