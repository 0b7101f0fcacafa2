// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// tree is the directories of a filesystem: a world's own, or those of what was mounted
// over a part of it.
type tree struct {
	fs   string           // its kind
	nest func(int) string // where a nest is in it
}

// mounted is a mount: at its path is the directory root of a tree, "" being all of it.
type mounted struct {
	at   string
	tree *tree
	root string
	on   *mounted // what its path led into before; nil for what an episode begins with
}

// path returns the path by which the mount names something, and whether it does; what
// lies over it is not looked at.
func (m *mounted) path(t *tree, rel string) (string, bool) {
	if m.tree != t || !within(rel, m.root) {
		return "", false
	}
	return path.Join(m.at, rel[len(m.root):]), true
}

// within tells whether a path is that of a directory or below it; all are below "".
func within(file, dir string) bool {
	return dir == "" || file == dir || strings.HasPrefix(file, dir+"/")
}

// namespace is the mounts that some processes have, in the order in which they came. The
// first shows all of a world.
type namespace struct{ mounts []*mounted }

// lead returns the mount that a path leads into, nil if none of these. It is the last that came
// there or above: each was mounted where a path led then.
func (n *namespace) lead(file string) *mounted {
	for _, m := range slices.Backward(n.mounts) {
		if within(file, m.at) {
			return m
		}
	}
	return nil
}

// find returns what is at a path that leads into one of these mounts.
func (n *namespace) find(file string) (*mounted, string) {
	m := n.lead(file)
	return m, strings.TrimPrefix(path.Join(m.root, file[len(m.at):]), "/")
}

// paths returns the paths of something, that of the widest mount first, and those by
// which it would be seen if nothing lay over them.
func (n *namespace) paths(t *tree, rel string) (seen, hidden []string) {
	widest := slices.Clone(n.mounts)
	slices.SortStableFunc(widest, func(a, b *mounted) int { return cmp.Compare(len(a.root), len(b.root)) })
	for _, m := range widest {
		switch file, ok := m.path(t, rel); {
		case ok && n.lead(file) == m:
			seen = append(seen, file)
		case ok:
			hidden = append(hidden, file)
		}
	}
	return seen, hidden
}

// pick returns the k-th of the mounts, or the first if that cannot name all of the paths.
func (n *namespace) pick(k int, t *tree, rels ...string) *mounted {
	m := n.mounts[k%len(n.mounts)]
	for _, rel := range rels {
		if _, ok := m.path(t, rel); !ok {
			return n.mounts[0]
		}
	}
	return m
}

// pickOpen returns the first of the mounts, from the k-th on, by which nothing hides any
// of the paths.
func (n *namespace) pickOpen(k int, t *tree, rels ...string) *mounted {
	for i := range n.mounts {
		m := n.mounts[(k+i)%len(n.mounts)]
		hides := func(rel string) bool {
			file, ok := m.path(t, rel)
			return !ok || n.lead(file) != m
		}
		if !slices.ContainsFunc(rels, hides) {
			return m
		}
	}
	return nil
}

// fleeting are the mounts that came during the episode.
func (n *namespace) fleeting() (some []*mounted) {
	for _, m := range n.mounts {
		if m.on != nil {
			some = append(some, m)
		}
	}
	return some
}

// carries tells whether something is mounted on m.
func (n *namespace) carries(m *mounted) bool {
	return slices.ContainsFunc(n.mounts, func(o *mounted) bool { return o.on == m })
}

func (n *namespace) has(m *mounted) bool { return slices.Contains(n.mounts, m) }

func (n *namespace) attach(m *mounted) { n.mounts = append(n.mounts, m) }

func (n *namespace) detach(m *mounted) {
	n.mounts = slices.DeleteFunc(n.mounts, func(o *mounted) bool { return o == m })
}

// place is where something is at one moment.
type place struct {
	// hosts are its paths on the host, the widest mount's first, hidden those that something
	// lies over.
	hosts, hidden []string
	// left is the path that it had on the host when that last showed its filesystem; "": it
	// shows it, or never did.
	left string
	// seen is the path as a process sees it, "" where none leads there.
	seen string
	tree *tree
	via  *mounted // through which it is used
}

// place returns where something is, by the mount of a process through which it is
// used, which may have gone.
func (w *World) place(n *namespace, via *mounted, rel string) place {
	p := place{tree: via.tree, via: via}
	p.hosts, p.hidden = w.host.paths(via.tree, rel)
	if last, gone := w.left[via.tree]; gone {
		p.left, _ = last.path(via.tree, rel)
	}
	if n.has(via) {
		p.seen, _ = via.path(via.tree, rel)
	}
	return p
}
