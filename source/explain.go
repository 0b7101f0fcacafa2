// SPDX-License-Identifier: Apache-2.0

package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/mount"
	"github.com/falco-fim/fim/watch"
)

// Explanation tells what would become of a change of one path.
type Explanation struct {
	// Path is what was asked for, absolute; Host the same file without symbolic
	// links on the way to it, as events name it.
	Path, Host string
	// Watched says that a change would be reported.
	Watched bool
	// Pattern is the one that matches, as configured, and Resolved what a symbolic
	// link makes of it if it matches for that alone.
	Pattern, Resolved string
	// Through is the name that it matches: Host, or another path of the host by
	// which a mount shows the same file.
	Through string
	// Exclude is the pattern that wins over Pattern, if one does.
	Exclude string
	// Others are the other host paths of the same place.
	Others []string
	// Mount is where it lies: mountpoint, type and device of the filesystem.
	Mount string
	// Exists says that there is such a file; then Type, Inode, Dev, as stat(2)
	// shows them, Links, and of a symbolic link Target are set.
	Exists     bool
	Type       event.Type
	Inode, Dev uint64
	Links      uint64
	Target     string
	// Backend is the one that a stream would take, none if none works, and Can
	// what it sees there; or why it cannot be told.
	Backend, Can string
}

// Explain tells whether and why the absolute path name of the host is watched
// with c. It opens the backend that a stream would take, and closes it again; a
// backend that does not open is part of the answer and no error.
func Explain(c Config, name string) (*Explanation, error) {
	if !path.IsAbs(name) {
		return nil, fmt.Errorf("explain %q: not an absolute path", name)
	}
	with, err := c.setup()
	if err != nil {
		return nil, err
	}
	m, err := openMounts(c.HostRoot, with.set)
	if err != nil {
		return nil, err
	}
	defer m.close()
	x := &Explanation{Path: path.Clean(name)}
	x.Host = canonical(c.HostRoot, x.Path)
	if err := x.look(filepath.Join(c.HostRoot, x.Host)); err != nil {
		return nil, err
	}
	at := x.place(m.now.Table)
	x.match(&c, with.set)
	x.ask(&c, with, m.now.Table, at)
	return x, nil
}

// canonical resolves the symbolic links on the way to name, and leaves its last
// component alone: a change of a link is not one of what it leads to.
func canonical(root, name string) string {
	dir, last := path.Split(name)
	if found := follow(root, components(dir)); len(found) > 0 {
		dir = found[len(found)-1]
	}
	return path.Join(dir, last)
}

// look fills what lstat(2) knows.
func (x *Explanation) look(file string) error {
	var st unix.Stat_t
	err := unix.Lstat(file, &st)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("explain: stat %s: %w", file, err)
	}
	x.Exists, x.Type = true, event.TypeOf(st.Mode)
	x.Inode, x.Dev, x.Links = st.Ino, st.Dev, uint64(st.Nlink)
	if x.Type == event.TypeSymlink {
		x.Target, err = os.Readlink(file)
	}
	return err
}

// place finds the mount, and the other paths of the host that lead there.
func (x *Explanation) place(t *mount.Table) *mount.Mount {
	m, inFS := t.Locate([]byte(x.Host))
	if m == nil {
		return nil
	}
	x.Mount = filesystem(m.Point, m.FSType, m.Dev)
	if inFS == nil {
		return m
	}
	for _, p := range t.HostPaths(nil, m.Dev, inFS) {
		if string(p.Host) != x.Host {
			x.Others = append(x.Others, string(p.Host))
		}
	}
	return m
}

// match decides as the backends do: by any host path of the file.
func (x *Explanation) match(c *Config, set *watch.Set) {
	for _, host := range append([]string{x.Host}, x.Others...) {
		name, ok := set.Match([]byte(host))
		if ok {
			x.Watched, x.Through, x.Pattern = true, host, string(name)
			x.Resolved = resolvedPattern(c, x.Pattern, host)
			return
		}
		if p := firstMatch(c.included(), host); p != "" && x.Pattern == "" {
			x.Through, x.Pattern, x.Exclude = host, p, firstMatch(patterns(c.Exclude), host)
		}
	}
}

// resolvedPattern is what a symbolic link makes of the pattern called name, if
// it does not match host as it stands.
func resolvedPattern(c *Config, name, host string) string {
	if firstMatch(patterns([]string{name}), host) != "" {
		return ""
	}
	for _, p := range c.included() {
		as := watch.Pattern{Glob: p.Glob, Name: p.Glob}
		if p.Name == name && firstMatch([]watch.Pattern{as}, host) != "" {
			return p.Glob
		}
	}
	return ""
}

// firstMatch is the name of the first of some valid patterns that matches.
func firstMatch(list []watch.Pattern, host string) string {
	for _, p := range list {
		if set, err := watch.Compile(only(p)); err == nil {
			if _, ok := set.Match([]byte(host)); ok {
				return p.Name
			}
		}
	}
	return ""
}

// able is a backend that knows what it sees on a filesystem.
type able interface {
	can(t *mount.Table, m *mount.Mount) string
}

// ask opens the backend and asks what it can do at m.
func (x *Explanation) ask(c *Config, with setup, t *mount.Table, m *mount.Mount) {
	for _, o := range backends {
		if c.Backend != auto && c.Backend != o.name {
			continue
		}
		b, err := o.open(with)
		if err != nil {
			x.Can = Refusal{o.name, err}.String()
			continue
		}
		x.Backend = o.name
		x.Can = "the filesystem is not in the host's mount table"
		if a, ok := b.(able); ok && m != nil {
			x.Can = a.can(t, m)
		}
		if err := b.Close(); err != nil {
			x.Can += "; close: " + err.Error()
		}
		return
	}
}
