// SPDX-License-Identifier: Apache-2.0

package source

import (
	"path/filepath"
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
	pattern []byte
}

// bind finds such files in the mount table as it is now.
func (h *hardLinks) bind() {
	before := h.bound
	h.bound = map[links.ID]boundFile{}
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
func (h *hardLinks) bindOne(m *mount.Mount, pattern []byte, before map[links.ID]boundFile) {
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
	h.bound[id] = boundFile{m, pattern}
	if _, known := before[id]; known {
		return
	}
	if err := h.note(fd, true); err != nil {
		h.logf("mounts: %s: the kernel side could not be told of the file that is mounted there, so what is done to it is missed: %v", m.Point, err)
	}
}

// boundTo returns by what mount of its own a file is watched.
func (h *hardLinks) boundTo(id links.ID, used string) (by bpf.Alias, ok bool) {
	b, ok := h.bound[id]
	if !ok || !h.sameBound(b.mount, used) {
		return by, false
	}
	place := bpf.Place{Host: []byte(b.mount.Point), Mountpoint: []byte(b.mount.Point), FSType: []byte(b.mount.FSType)}
	return bpf.Alias{Place: place, Pattern: b.pattern, Reason: event.Mounted, Mount: b.mount.ID}, true
}

// sameBound says whether a path with the inode number of a mounted file is of that, where
// several files of a filesystem may have the number.
func (h *hardLinks) sameBound(m *mount.Mount, used string) bool {
	if m.FSType != "btrfs" && m.FSType != "overlay" {
		return true
	}
	var one, two unix.Stat_t
	if unix.Lstat(filepath.Join(h.root, used), &one) != nil || unix.Lstat(filepath.Join(h.root, m.Point), &two) != nil {
		return false
	}
	return one.Dev == two.Dev && one.Ino == two.Ino
}
