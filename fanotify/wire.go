// SPDX-License-Identifier: Apache-2.0

package fanotify

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// The layout is that of struct fanotify_event_metadata and the information
// records behind it in include/uapi/linux/fanotify.h, see fanotify(7). Numbers
// are in the byte order of the machine.
const (
	infoHeaderLen = 4 // info_type, pad, len
	fsidLen       = 8
	handleHeader  = 8 // handle_bytes, handle_type of struct file_handle
	refHeaderLen  = fsidLen + handleHeader
)

var errMalformed = errors.New("malformed fanotify event")

// ref names an object for good: the filesystem's fsid followed by the object's
// struct file_handle, as they stand in the event. Handles carry a generation,
// so a ref is never used for two objects. It serves as the key of every map
// here, which needs no copy to look one up.
type ref []byte

// handle splits r into what open_by_handle_at(2) takes.
func (r ref) handle() (kind int32, data []byte) {
	return int32(binary.NativeEndian.Uint32(r[fsidLen+4:])), r[refHeaderLen:]
}

// fsid is the key of the filesystem, as in statfs(2).
func (r ref) fsid() (id [fsidLen]byte) {
	copy(id[:], r)
	return id
}

// record is one event as the kernel wrote it; its slices alias the buffer.
type record struct {
	mask uint64
	pid  int32 // 0 when the process has no number in our pid namespace
	// pidfd is a descriptor that the reader must close, or negative.
	pidfd int32
	// object is what the event is about; empty on kernels or filesystems that
	// do not tell.
	object ref
	// dir and name are where; for a rename the old place. The name is "." for
	// an event of the directory itself.
	dir  ref
	name []byte
	// newDir and newName are the new place of a rename.
	newDir  ref
	newName []byte
}

// parse reads the first event of buf and returns what follows it. A record
// whose pidfd was already read comes back even with an error, so that the
// descriptor can be closed.
func parse(buf []byte) (r record, rest []byte, err error) {
	r.pidfd = unix.FAN_NOPIDFD
	if len(buf) < unix.FAN_EVENT_METADATA_LEN {
		return r, nil, fmt.Errorf("%w: %d bytes left", errMalformed, len(buf))
	}
	size := int(binary.NativeEndian.Uint32(buf))
	head := int(binary.NativeEndian.Uint16(buf[6:]))
	if size > len(buf) || head < unix.FAN_EVENT_METADATA_LEN || head > size {
		return r, nil, fmt.Errorf("%w: length %d, head %d, %d bytes left", errMalformed, size, head, len(buf))
	}
	if v := buf[4]; v != unix.FANOTIFY_METADATA_VERSION {
		return r, nil, fmt.Errorf("%w: metadata version %d, want %d", errMalformed, v, unix.FANOTIFY_METADATA_VERSION)
	}
	r.mask = binary.NativeEndian.Uint64(buf[8:])
	r.pid = int32(binary.NativeEndian.Uint32(buf[20:]))
	return r, buf[size:], r.infos(buf[head:size])
}

// infos reads the information records behind the metadata.
func (r *record) infos(b []byte) error {
	for len(b) > 0 {
		if len(b) < infoHeaderLen {
			return fmt.Errorf("%w: information record cut", errMalformed)
		}
		n := int(binary.NativeEndian.Uint16(b[2:]))
		if n < infoHeaderLen || n > len(b) {
			return fmt.Errorf("%w: information record of %d bytes, %d left", errMalformed, n, len(b))
		}
		if err := r.info(b[0], b[infoHeaderLen:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// info reads one record; kinds that a later kernel may add are passed over.
func (r *record) info(kind byte, b []byte) (err error) {
	switch kind {
	case unix.FAN_EVENT_INFO_TYPE_PIDFD:
		if len(b) < 4 {
			return fmt.Errorf("%w: pidfd record cut", errMalformed)
		}
		r.pidfd = int32(binary.NativeEndian.Uint32(b))
	case unix.FAN_EVENT_INFO_TYPE_FID:
		r.object, _, err = parseRef(b)
	case unix.FAN_EVENT_INFO_TYPE_DFID:
		r.dir, _, err = parseRef(b)
	case unix.FAN_EVENT_INFO_TYPE_DFID_NAME, unix.FAN_EVENT_INFO_TYPE_OLD_DFID_NAME:
		r.dir, r.name, err = parseNamed(b)
	case unix.FAN_EVENT_INFO_TYPE_NEW_DFID_NAME:
		r.newDir, r.newName, err = parseNamed(b)
	}
	return err
}

func parseRef(b []byte) (ref, []byte, error) {
	if len(b) < refHeaderLen {
		return nil, nil, fmt.Errorf("%w: file handle cut", errMalformed)
	}
	n := binary.NativeEndian.Uint32(b[fsidLen:])
	if uint64(n) > uint64(len(b)-refHeaderLen) {
		return nil, nil, fmt.Errorf("%w: file handle of %d bytes, %d left", errMalformed, n, len(b)-refHeaderLen)
	}
	end := refHeaderLen + int(n)
	return b[:end:end], b[end:], nil
}

// parseNamed reads a handle and the name behind it, which ends in a NUL.
func parseNamed(b []byte) (ref, []byte, error) {
	dir, rest, err := parseRef(b)
	if err != nil {
		return nil, nil, err
	}
	end := bytes.IndexByte(rest, 0)
	if end <= 0 {
		return nil, nil, fmt.Errorf("%w: name without an end", errMalformed)
	}
	return dir, rest[:end:end], nil
}
