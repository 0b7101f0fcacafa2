// SPDX-License-Identifier: Apache-2.0

package source

import (
	"bytes"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/bpf"
	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/links"
	"github.com/falco-fim/fim/mount"
	"github.com/falco-fim/fim/watch"
)

// hardLinks finds the watched files that have several names, and knows the names. It
// belongs to the thread that calls Next; only the walk through the trees does not.
type hardLinks struct {
	set    *watch.Set
	root   string // of the host
	mounts *mounts
	table  *links.Table
	bound  map[links.ID][]boundFile
	// note tells the kernel side of a file, by a descriptor, and whether it is mounted by itself.
	note func(fd int, bound bool) error
	logf func(format string, args ...any)

	walk   *links.Walk
	begun  time.Time // of the walk
	told   time.Time // when its progress was told last
	found  []string  // by it, and not looked up yet
	queue  []string  // directories to walk through afterwards
	stale  bool      // events were lost: all is to be walked through again
	full   bool      // that the table is was told
	failed bool      // that note fails was told
}

// Walks that take longer are told of.
const (
	// walkPatience is for how long a start waits for the first walk: most trees are
	// small, and it is better to know all before the first event.
	walkPatience = 2 * time.Second
	// walkProgress is how often a longer one is told of.
	walkProgress = 30 * time.Second
	// walkPause is between two walks through everything, however often events are lost.
	walkPause = time.Minute
	// lookMost is how many paths that a walk has found are looked up between two
	// events.
	lookMost = 256
	// maxQueue is how many directories may wait for a walk by themselves.
	maxQueue = 64
)

func newHardLinks(s setup, m *mounts) *hardLinks {
	h := &hardLinks{set: s.set, root: s.root, mounts: m, logf: s.logf}
	h.table = links.New(s.set, h.holds)
	return h
}

// start walks through all that is watched. Note is called from here on.
func (h *hardLinks) start(note func(fd int, bound bool) error) {
	h.note = note
	h.bind()
	h.begin(h.set.Prefixes())
	select {
	case <-h.walk.Done():
		h.take(links.MaxFiles)
		h.end()
	case <-time.After(walkPatience):
		h.logf("hard links: looking for files with several names; until that has ended, what is done through names that are not watched may be missed")
		h.told = time.Now()
	}
}

func (h *hardLinks) begin(paths []string) {
	table := h.mounts.now.Table // never changes
	enter := func(dir string) bool {
		m, _ := table.Locate([]byte(dir))
		return m != nil && !waits(m.FSType) && !slices.Contains(generated, m.FSType)
	}
	h.begun, h.told = time.Now(), time.Time{}
	h.walk = links.Start(h.root, h.set, paths, enter)
}

// generated are filesystems whose files the kernel makes up.
var generated = []string{"proc", "sysfs", "cgroup", "cgroup2", "debugfs", "tracefs", "securityfs", "bpf", "devpts", "configfs", "pstore", "efivarfs", "fusectl", "mqueue"}

func (h *hardLinks) close() {
	if h.walk != nil {
		h.walk.Close()
	}
}

// check takes in some of what the walk has found, and begins the next one.
func (h *hardLinks) check() {
	if h.walk == nil {
		if h.stale && time.Since(h.begun) > walkPause {
			h.stale = false
			h.begin(h.set.Prefixes())
		}
		return
	}
	select {
	case <-h.walk.Done():
		if h.take(lookMost) {
			h.end()
		}
	default:
		h.take(lookMost)
		h.progress()
	}
}

// take looks up what was found, and says whether that was all: whether it is still so
// nobody else can tell, since a name that is gone by now may have had its event.
func (h *hardLinks) take(most int) (all bool) {
	found, over := h.walk.Found()
	h.found = append(h.found, found...)
	most = min(most, len(h.found))
	for _, path := range h.found[:most] {
		h.look(path)
	}
	h.found = h.found[most:]
	h.overflow(over)
	return len(h.found) == 0
}

func (h *hardLinks) overflow(over bool) {
	if (over || h.table.Full()) && !h.full {
		h.full = true
		h.logf("hard links: more than %d watched files have several names; of the rest, what is done through names that are not watched is missed: watch less", links.MaxFiles)
	}
}

func (h *hardLinks) end() {
	if !h.told.IsZero() {
		directories, files := h.walk.Seen()
		h.logf("hard links: looked at %d files in %d directories in %s; %d watched files have several names", files, directories, time.Since(h.begun).Round(time.Second), h.table.Len())
	}
	h.walk.Close()
	h.walk = nil
	if len(h.queue) > 0 {
		queue := h.queue
		h.queue = nil
		h.begin(queue)
	}
}

func (h *hardLinks) progress() {
	if now := time.Now(); !h.told.IsZero() && now.Sub(h.told) > walkProgress {
		h.told = now
		directories, files := h.walk.Seen()
		h.logf("hard links: looked at %d files in %d directories so far", files, directories)
	}
}

// look takes a path in if it has several names.
func (h *hardLinks) look(path string) {
	fd, err := h.open(path)
	if err != nil {
		return // gone, or its directory was moved: events tell
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Nlink < 2 || st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return
	}
	m, _ := h.mounts.now.Locate([]byte(path))
	if m == nil || !h.table.Add(links.ID{Dev: m.Dev, Inode: st.Ino}, links.Name{Path: path, Dev: st.Dev}) {
		return
	}
	if err := h.note(fd, false); err != nil && !h.failed {
		h.failed = true
		h.logf("hard links: %s: the kernel side could not be told of it, so what is done through its other names is missed: %v", path, err)
	}
}

// open opens a path of the host, in which no directory is a symbolic link, to ask
// what it is.
func (h *hardLinks) open(path string) (int, error) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_MAGICLINKS}
	if h.root != "/" {
		return unix.Openat2(unix.AT_FDCWD, filepath.Join(h.root, path), &how)
	}
	how.Resolve |= unix.RESOLVE_NO_SYMLINKS
	return unix.Openat2(unix.AT_FDCWD, path, &how)
}

// holds says whether a path on the host is a name of the file now.
func (h *hardLinks) holds(id links.ID, path string) bool {
	fd, err := h.open(path)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	m, _ := h.mounts.now.Locate([]byte(path))
	return unix.Fstat(fd, &st) == nil && st.Ino == id.Inode && m != nil && m.Dev == id.Dev
}

// learn takes in what an event tells of names.
func (h *hardLinks) learn(dev uint64, e *event.Event) {
	h.table.Learn(links.ID{Dev: dev, Inode: e.File.Inode}, e)
	h.overflow(false)
	if bytes.Equal(e.Reason, event.Mounted) {
		h.mounts.read(true) // it tells where the file lies, and nothing that this has changed
	}
	if e.Op == event.OpRename && e.File.Type == event.TypeDirectory && len(e.File.HostPath) > 0 {
		h.arrived(string(e.Old.HostPath), string(e.File.HostPath))
	}
}

// arrived walks through a directory that was moved to where patterns say something
// else of what is in it.
func (h *hardLinks) arrived(old, path string) {
	_, was := h.set.Match([]byte(old))
	if was || !h.set.Reaches([]byte(path)) || slices.Contains(h.queue, path) {
		return
	}
	if h.walk == nil {
		h.begin([]string{path})
		return
	}
	if len(h.queue) >= maxQueue {
		h.stale = true
		return
	}
	h.queue = append(h.queue, path)
}

// doubt is for when events were lost: names may have come and gone unseen.
func (h *hardLinks) doubt() {
	h.table.Doubt()
	h.stale = true
}

// alias returns by what a file is watched that was used by another name.
func (h *hardLinks) alias(file bpf.Numbers, used []byte) (by bpf.Alias, ok bool) {
	if h.walk != nil {
		h.take(links.MaxFiles)
	}
	id := links.ID{Dev: file.Dev, Inode: file.Inode}
	var m *mount.Mount
	path, pattern, ok := h.table.Watched(id, func(name links.Name) bool {
		m, _ = h.mounts.now.Locate([]byte(name.Path))
		return m != nil && m.Dev == file.Dev && h.names(name, m.FSType, file, string(used))
	})
	if !ok {
		return h.boundTo(file, string(used))
	}
	place := bpf.Place{Host: []byte(path), Mountpoint: []byte(m.Point), FSType: []byte(m.FSType)}
	return bpf.Alias{Place: place, Pattern: pattern, Reason: event.Hardlink}, true
}

// names says whether a name is of this file, which has its ID and was used by another
// path. Inode numbers are those of a subvolume of btrfs or of a layer of overlayfs, whose
// files stat(2) shows with a device of their own.
func (h *hardLinks) names(name links.Name, fstype string, file bpf.Numbers, used string) bool {
	if fstype != "btrfs" && fstype != "overlay" {
		return true
	}
	if name.Dev == 0 {
		name.Dev = h.shown(fstype, name.Path, file.Inode)
	}
	if file.Shown == 0 {
		file.Shown = h.shown(fstype, used, file.Inode)
	}
	return name.Dev != 0 && name.Dev == file.Shown
}

// shown returns the device of a file by its path on the host, for kernels that do not
// tell; 0 where the path is not its name any more. On btrfs its directory tells, too.
func (h *hardLinks) shown(fstype, path string, inode uint64) uint64 {
	if fstype == "btrfs" {
		path, inode = filepath.Dir(path), 0
	}
	var st unix.Stat_t
	if unix.Lstat(filepath.Join(h.root, path), &st) != nil || inode != 0 && st.Ino != inode {
		return 0
	}
	return st.Dev
}
