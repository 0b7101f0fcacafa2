// SPDX-License-Identifier: Apache-2.0

package links

import (
	"context"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/falco-fim/fim/watch"
)

// Walk looks for files with several names below a directory, in a goroutine of its
// own. It follows no symbolic link and holds no more than [MaxFiles] of what it has
// found at once.
type Walk struct {
	root  string // where the host's root directory is
	set   *watch.Set
	enter func(dir string) bool

	directories, files atomic.Uint64
	mu                 sync.Mutex
	found              []string
	over               bool
	stop               context.CancelFunc
	done               chan struct{}
}

// Start begins a walk below each of some paths on the host, which are files or
// directories. enter says whether what is mounted at a directory may be looked at:
// some filesystems wait for others to answer.
func Start(root string, set *watch.Set, paths []string, enter func(dir string) bool) *Walk {
	ctx, stop := context.WithCancel(context.Background())
	w := &Walk{root: root, set: set, enter: enter, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		for _, path := range paths {
			w.walk(ctx, path)
		}
	}()
	return w
}

// Done is closed when the walk has ended.
func (w *Walk) Done() <-chan struct{} { return w.done }

// Seen is how many directories and files the walk has looked at.
func (w *Walk) Seen() (directories, files uint64) { return w.directories.Load(), w.files.Load() }

// Found returns paths on the host that had several names a moment ago and that were
// not returned before, and whether there were more than could be held.
func (w *Walk) Found() (paths []string, over bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	paths, w.found = w.found, nil
	over, w.over = w.over, false
	return paths, over
}

// Close ends the walk and waits for it.
func (w *Walk) Close() {
	w.stop()
	<-w.done
}

// walk goes through one tree. What cannot be read is passed over: it may be gone, and
// what comes later has events.
func (w *Walk) walk(ctx context.Context, top string) {
	var device uint64
	_ = filepath.WalkDir(filepath.Join(w.root, top), func(name string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return fs.SkipAll
		}
		path := w.host(name)
		if err != nil || d.IsDir() && !w.set.Reaches([]byte(path)) {
			return skip(d)
		}
		if d.IsDir() {
			w.directories.Add(1)
			if !w.same(d, &device) && !w.enter(path) {
				return fs.SkipDir
			}
			return nil
		}
		w.files.Add(1)
		if info, err := d.Info(); err == nil && info.Sys().(*syscall.Stat_t).Nlink > 1 {
			w.add(path)
		}
		return nil
	})
}

func skip(d fs.DirEntry) error {
	if d != nil && d.IsDir() {
		return fs.SkipDir
	}
	return nil
}

// same says whether a directory is on the device of the last one.
func (w *Walk) same(d fs.DirEntry, device *uint64) bool {
	info, err := d.Info()
	if err != nil {
		return true
	}
	dev := info.Sys().(*syscall.Stat_t).Dev
	same := *device == dev
	*device = dev
	return same
}

// host is the path on the host of one below the root.
func (w *Walk) host(name string) string {
	if w.root == "/" {
		return name
	}
	return "/" + strings.TrimPrefix(strings.TrimPrefix(name, w.root), "/")
}

func (w *Walk) add(path string) {
	if _, ok := w.set.Match([]byte(path)); !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.found) >= MaxFiles {
		w.over = true
		return
	}
	w.found = append(w.found, path)
}
