// SPDX-License-Identifier: Apache-2.0

package mount

import (
	"bytes"
	"slices"
	"strings"
)

// Table is a mount table. It never changes, so any number of goroutines may use
// it at once.
type Table struct {
	mounts []Mount
	top    int // index of the mount of "/", or outside
	over   map[mountpoint]int
	byRoot map[inside][]int // in table order
}

// outside is the index of the mount that the process's root directory is on
// where that is not its mountpoint: after a chroot(2) to an ordinary directory.
// The table does not list it.
const outside = -1

// mountpoint is a place in a mount, by the mount's index.
type mountpoint struct {
	parent int
	path   string
}

// inside is a place in a filesystem.
type inside struct {
	dev  uint64
	path string
}

// Path is a path on the host by which a place in a filesystem is visible.
type Path struct {
	Host  []byte
	Mount *Mount // through which Host leads
}

func newTable(mounts []Mount) *Table {
	t := &Table{mounts: mounts, over: map[mountpoint]int{}, byRoot: map[inside][]int{}}
	byID := make(map[int]int, len(mounts))
	for i := range mounts { // should one be listed twice, the later line is the newer
		byID[mounts[i].ID] = i
	}
	t.top = findTop(mounts, byID)
	blurred := blurredRoots(mounts)
	for i := range mounts {
		m := &mounts[i]
		if byID[m.ID] != i {
			continue
		}
		t.over[mountpoint{t.parent(m, byID), m.Point}] = i
		if m.hasRoot() && !blurred[m.Dev] {
			key := inside{m.Dev, m.Root}
			t.byRoot[key] = append(t.byRoot[key], i)
		}
	}
	return t
}

// findTop returns the index of the mount of the process's root directory. A
// mount over "/" has that one for a parent and is not visible by any path, since
// the kernel begins at the root directory that the process has and looks for no
// mount on it (set_root in fs/namei.c).
func findTop(mounts []Mount, byID map[int]int) int {
	for i, m := range mounts {
		parent, listed := byID[m.Parent]
		if m.Point == "/" && byID[m.ID] == i && (!listed || parent == i) {
			return i
		}
	}
	return outside
}

// parent returns the index of the mount that m is mounted on. One that is not
// listed is the one that the root directory is on, or one that came while the
// table was read.
func (t *Table) parent(m *Mount, byID map[int]int) int {
	if i, ok := byID[m.Parent]; ok {
		return i
	}
	return t.top
}

// hasRoot says whether the root is the path of something that exists: not of a
// deleted directory, a namespace, or a cgroup above the reader's own (shown as
// "/../x", see cgroup_namespaces(7)).
func (m *Mount) hasRoot() bool {
	return strings.HasPrefix(m.Root, "/") && !strings.HasSuffix(m.Root, "//deleted") &&
		!strings.Contains(m.Root+"/", "/../")
}

// blurredRoots returns the devices whose mounts' roots cannot be told. NFS
// writes "/" for every root (nfs_show_path in fs/nfs/super.c), also where
// several exports or directories of a server share a superblock; only the source
// tells them apart.
func blurredRoots(mounts []Mount) map[uint64]bool {
	blurred := map[uint64]bool{}
	source := map[uint64]string{}
	for _, m := range mounts {
		if m.FSType != "nfs" && m.FSType != "nfs4" {
			continue
		}
		if first, ok := source[m.Dev]; ok && first != m.Source {
			blurred[m.Dev] = true
		}
		source[m.Dev] = m.Source
	}
	return blurred
}

// Mounts returns all mounts in the order of the table, also hidden ones. The
// slice belongs to the table.
func (t *Table) Mounts() []Mount { return t.mounts }

// HostPaths appends every path on the host by which a place in a filesystem is
// visible, the widest mount's first, and returns the extended slice. The place
// is a device as in [Mount].Dev and an absolute clean path inside it; whether
// anything exists there is not looked at. Spare elements of dst lend the memory
// of their Host, so with dst[:0] of an earlier call nothing is allocated.
func (t *Table) HostPaths(dst []Path, dev uint64, inFS []byte) []Path {
	if !clean(inFS) {
		return dst
	}
	for end := range prefixes(inFS) {
		for _, i := range t.byRoot[inside{dev, string(inFS[:end])}] {
			dst = t.appendVisible(dst, i, inFS[end:])
		}
	}
	return dst
}

// appendVisible appends the path of rest below a mount, if it leads there.
func (t *Table) appendVisible(dst []Path, i int, rest []byte) []Path {
	m, n := &t.mounts[i], len(dst)
	dst = slices.Grow(dst, 1)[:n+1]
	host := join(append(dst[n].Host[:0], m.Point...), rest)
	dst[n] = Path{host, m}
	if t.lead(host) != i {
		return dst[:n]
	}
	return dst
}

// join appends a relative path, which may begin with a slash, to an absolute
// one.
func join(dir, rest []byte) []byte {
	rest = bytes.TrimPrefix(rest, []byte{'/'})
	if len(rest) == 0 {
		return dir
	}
	if len(dir) > 1 { // not "/"
		dir = append(dir, '/')
	}
	return append(dir, rest...)
}

// Locate returns the mount that an absolute clean path on the host leads into,
// and the path inside its filesystem. The mount is nil when the table does not
// list it, the path nil when the mount's root is not known as a path. The path
// may share memory with its argument.
func (t *Table) Locate(path []byte) (m *Mount, inFS []byte) {
	if !clean(path) {
		return nil, nil
	}
	i := t.lead(path)
	if i == outside {
		return nil, nil
	}
	m = &t.mounts[i]
	if !m.hasRoot() {
		return m, nil
	}
	if m.Root == m.Point {
		return m, path
	}
	return m, join([]byte(m.Root), path[len(m.Point):])
}

// lead returns the index of the mount that a path leads into, as the kernel
// finds it: from the root downwards, at each step into the mounts on top of each
// other that are there.
func (t *Table) lead(path []byte) int {
	at := t.top
	for end := range prefixes(path) {
		if end == 1 {
			continue // what is mounted over "/" is not seen, see findTop
		}
		for {
			next, ok := t.over[mountpoint{at, string(path[:end])}]
			if !ok {
				break
			}
			at = next
		}
	}
	return at
}

// clean says whether a path is absolute and holds nothing that has to be
// resolved. Others are not resolved, since a ".." after a symbolic link or a
// "//deleted" at the end is not what it seems.
func clean(path []byte) bool {
	switch {
	case len(path) == 0 || path[0] != '/':
		return false
	case len(path) == 1:
		return true
	}
	return path[len(path)-1] != '/' && !bytes.Contains(path, []byte("//")) &&
		!bytes.Contains(path, []byte("/./")) && !bytes.HasSuffix(path, []byte("/.")) &&
		!bytes.Contains(path, []byte("/../")) && !bytes.HasSuffix(path, []byte("/.."))
}

// prefixes yields the lengths of the paths that lead to a clean path: of "/",
// "/a" and "/a/b" for "/a/b".
func prefixes(path []byte) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		if !yield(1) {
			return
		}
		for i := 1; i < len(path); i++ {
			if path[i] == '/' && !yield(i) {
				return
			}
		}
		if len(path) > 1 {
			yield(len(path))
		}
	}
}
