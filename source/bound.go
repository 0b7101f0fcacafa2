// SPDX-License-Identifier: Apache-2.0

package source

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/bpf"
	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/links"
	"github.com/falco-fim/fim/mount"
)

// boundFile is a file that is mounted by itself where a pattern names it: the directory
// that it lies in, by which the kernel side knows files, may be watched by nobody.
type boundFile struct {
	mount   *mount.Mount
	dev     uint64 // as stat(2) shows it
	pattern []byte
}

// bind finds such files in the mount table as it is now.
func (h *hardLinks) bind() {
	before := h.bound
	h.bound = map[links.ID][]boundFile{}
	mounts := h.mounts.now.Mounts()
	for i := range mounts {
		m := &mounts[i]
		if m.Root == "/" || waits(m.FSType) || slices.Contains(generated, m.FSType) {
			continue
		}
		if pattern, ok := h.set.Match([]byte(m.Point)); ok {
			h.bindOne(m, pattern, before)
		}
	}
}

// bindOne takes in a mount if it is of a file and still the one at its mountpoint.
func (h *hardLinks) bindOne(m *mount.Mount, pattern []byte, before map[links.ID][]boundFile) {
	fd, err := h.open(m.Point)
	if err != nil {
		return // unmounted meanwhile, or hidden
	}
	defer unix.Close(fd)
	var st unix.Statx_t
	const flags = unix.AT_EMPTY_PATH | unix.AT_STATX_DONT_SYNC
	if unix.Statx(fd, "", flags, unix.STATX_BASIC_STATS|unix.STATX_MNT_ID, &st) != nil || st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return
	}
	if here, _ := h.mounts.now.Locate([]byte(m.Point)); here != m {
		return
	}
	id := links.ID{Dev: m.Dev, Inode: st.Ino}
	dev := unix.Mkdev(st.Dev_major, st.Dev_minor)
	h.bound[id] = append(h.bound[id], boundFile{m, dev, pattern})
	if slices.ContainsFunc(before[id], func(b boundFile) bool { return b.dev == dev }) {
		return
	}
	if err := h.note(fd, true); err != nil {
		h.logf("mounts: %s: the kernel side could not be told of the file that is mounted there, so what is done to it is missed: %v", m.Point, err)
	}
}

// boundTo returns by what mount of its own a file is watched.
func (h *hardLinks) boundTo(file bpf.Numbers, used string) (by bpf.Alias, ok bool) {
	for _, b := range h.bound[links.ID{Dev: file.Dev, Inode: file.Inode}] {
		if h.names(links.Name{Path: b.mount.Point, Dev: b.dev}, b.mount.FSType, file, used) {
			place := bpf.Place{Host: []byte(b.mount.Point), Mountpoint: []byte(b.mount.Point), FSType: []byte(b.mount.FSType)}
			return bpf.Alias{Place: place, Pattern: b.pattern, Reason: event.Mounted, Mount: b.mount.ID}, true
		}
	}
	return by, false
}
