// SPDX-License-Identifier: Apache-2.0

package fanotify

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

// Each case is done at once, before anything is read, so that the kernel merges
// what it can, and then once more with a read after each step.
var operations = []struct {
	name   string
	before []string // not told
	do     []string
	want   []string
	slow   []string // when read after each step, if that differs
}{
	{
		name: "a file is created, modified and closed",
		do:   []string{"write w/f"},
		want: []string{"create w/f", "modify w/f", "close w/f"},
	},
	{
		name: "nothing is told outside of the watch",
		do: []string{
			"write o/f", "mkdir o/d", "rename o/f o/d/g", "link o/d/g o/h", "symlink x o/s", "chmod o/h",
			"unlink o/h", "rmtree o/d", "mktree o/ww", "write o/wfile",
		},
	},
	{
		name:   "opened for writing but not modified is no close",
		before: []string{"write w/f"},
		do:     []string{"touch w/f", "read w/f"},
	},
	{
		name:   "a file that existed is not created again",
		before: []string{"touch w/f"},
		do:     []string{"write w/f"},
		want:   []string{"modify w/f", "close w/f"},
	},
	{
		name:   "truncate is a modification",
		before: []string{"write w/f"},
		do:     []string{"truncate w/f"},
		want:   []string{"modify w/f"},
	},
	{
		name:   "a link inside",
		before: []string{"write w/f"},
		do:     []string{"link w/f w/g"},
		want:   []string{"link w/g"},
	},
	{
		name:   "a link from outside in, and one from inside out",
		before: []string{"write o/f", "write w/f"},
		do:     []string{"link o/f w/g", "link w/f o/g"},
		want:   []string{"link w/g"},
	},
	{
		name: "a new file and links to it",
		do:   []string{"touch w/a", "link w/a w/b", "link w/b w/c"},
		want: []string{"create w/a", "link w/b", "link w/c"},
	},
	{
		name:   "a link whose other name was replaced",
		before: []string{"write w/conf", "write w/new"},
		do:     []string{"link w/conf w/conf~", "rename w/new w/conf"},
		want:   []string{"link w/conf~", "rename w/conf < w/new"},
	},
	{
		name:   "removing one name of two, then the other",
		before: []string{"write w/f", "link w/f w/g"},
		do:     []string{"unlink w/f", "unlink w/g"},
		want:   []string{"unlink w/f", "unlink w/g"},
	},
	{
		name: "symbolic link, fifo, socket, device",
		do:   []string{"symlink ../no/where w/s", "fifo w/p", "socket w/u", "device w/d", "chown w/s"},
		want: []string{"symlink w/s", "attrib w/s", "mknod w/p", "mknod w/u", "mknod w/d"},
		slow: []string{"symlink w/s", "mknod w/p", "mknod w/u", "mknod w/d", "attrib w/s"},
	},
	{
		name:   "renames inside, in, out and over",
		before: []string{"write w/a", "write o/b", "write w/c", "write w/d", "write w/e"},
		do:     []string{"rename w/a w/a2", "rename o/b w/b", "rename w/c o/c", "rename w/d w/e"},
		want:   []string{"rename w/a2 < w/a", "rename w/b < o/b", "rename o/c < w/c", "rename w/e < w/d"},
	},
	{
		name:   "an exchange tells both",
		before: []string{"write w/a", "write o/b"},
		do:     []string{"exchange w/a o/b"},
		want:   []string{"rename o/b < w/a", "rename w/a < o/b"},
	},
	{
		name:   "an exchange of directories moves both trees",
		before: []string{"mkdir w/a", "mkdir o/b"},
		do:     []string{"exchange w/a o/b", "touch w/a/in", "touch o/b/out"},
		want:   []string{"rename o/b < w/a", "rename w/a < o/b", "create w/a/in"},
	},
	{
		name:   "a tree moved in is right at once, at every depth",
		before: []string{"mktree o/t/1/2/3"},
		do:     []string{"rename o/t w/t", "write w/t/f", "write w/t/1/2/3/f"},
		want: []string{
			"rename w/t < o/t", "create w/t/f", "modify w/t/f", "close w/t/f",
			"create w/t/1/2/3/f", "modify w/t/1/2/3/f", "close w/t/1/2/3/f",
		},
	},
	{
		name:   "a tree moved out is silent at once",
		before: []string{"mktree w/t/1/2/3"},
		do:     []string{"touch w/t/1/f", "rename w/t o/t", "touch o/t/g", "touch o/t/1/2/3/f"},
		want:   []string{"create w/t/1/f", "rename o/t < w/t"},
	},
	{
		name:   "a tree moved within keeps each event's own path",
		before: []string{"mktree w/t/1"},
		do:     []string{"touch w/t/1/a", "rename w/t/1 w/t/2", "touch w/t/2/b", "rename w/t w/u", "touch w/u/2/c"},
		want: []string{
			"create w/t/1/a", "rename w/t/2 < w/t/1", "create w/t/2/b", "rename w/u < w/t", "create w/u/2/c",
		},
	},
	{
		name: "three directories deep, then a file in the deepest",
		do:   []string{"mktree w/a/b/c", "touch w/a/b/c/f"},
		want: []string{"mkdir w/a", "mkdir w/a/b", "mkdir w/a/b/c", "create w/a/b/c/f"},
	},
	{
		name:   "rmtree tells each unlink and rmdir",
		before: []string{"mktree w/a/b", "touch w/a/b/f", "touch w/a/g"},
		do:     []string{"unlink w/a/b/f", "rmdir w/a/b", "unlink w/a/g", "rmdir w/a", "touch w/after"},
		want:   []string{"unlink w/a/b/f", "rmdir w/a/b", "unlink w/a/g", "rmdir w/a", "create w/after"},
	},
	{
		name: "a whole tree comes and goes before anything is read",
		do:   []string{"mkdir w/q", "touch w/q/f", "unlink w/q/f", "rmdir w/q"},
		want: []string{"mkdir w/q", "create w/q/f", "unlink w/q/f", "rmdir w/q"},
	},
	{
		name: "nested directories come and go",
		do: []string{
			"mktree w/q/r/s", "touch w/q/r/f", "touch w/q/r/s/f", "unlink w/q/r/s/f", "rmdir w/q/r/s",
			"unlink w/q/r/f", "rmdir w/q/r", "rmdir w/q",
		},
		want: []string{
			"mkdir w/q", "mkdir w/q/r", "mkdir w/q/r/s", "create w/q/r/f", "create w/q/r/s/f", "unlink w/q/r/s/f",
			"rmdir w/q/r/s", "unlink w/q/r/f", "rmdir w/q/r", "rmdir w/q",
		},
	},
	{
		name:   "files and directories removed where their parent was moved to",
		before: []string{"mktree o/a/b/c"},
		do: []string{
			"write o/a/b/f", "write o/a/b/g", "rename o/a w/a", "unlink w/a/b/f", "rmdir w/a/b/c",
			"rename w/a w/z", "unlink w/z/b/g", "rmdir w/z/b", "rmdir w/z",
		},
		want: []string{
			"rename w/a < o/a", "unlink w/a/b/f", "rmdir w/a/b/c", "rename w/z < w/a", "unlink w/z/b/g", "rmdir w/z/b", "rmdir w/z",
		},
	},
	{
		name:   "an unlinked file is written to before and after",
		before: []string{"write w/f", "open 1 w/f"},
		do:     []string{"put 1", "unlink w/f", "close 1"},
		want:   []string{"modify w/f", "close w/f", "unlink w/f"}, // merged: the last write may have been after it
		slow:   []string{"modify w/f", "unlink w/f", "close w/f"},
	},
	{
		name: "a name given and taken while another stays",
		do:   []string{"touch w/a", "link w/a w/b", "unlink w/a", "unlink w/b"},
		want: []string{"create w/a", "unlink w/a", "link w/b", "unlink w/b"}, // of two names the order is not known
		slow: []string{"create w/a", "link w/b", "unlink w/a", "unlink w/b"},
	},
	{
		name:   "attributes of files and directories",
		before: []string{"write w/f", "mkdir w/d"},
		do:     []string{"chmod w/f", "chmod w/d", "setxattr w/f", "chmod w"},
		want:   []string{"attrib w/f", "attrib w/d", "attrib w"},
		slow:   []string{"attrib w/f", "attrib w/d", "attrib w/f", "attrib w"},
	},
	{
		name:   "an unlinked file that is open still reports under its name",
		before: []string{"write w/f", "open 1 w/f"},
		do:     []string{"unlink w/f", "put 1", "close 1"},
		want:   []string{"unlink w/f", "modify w/f", "close w/f"},
	},
	{
		name: "an unnamed file is created when it is published, and known by that name",
		do:   []string{"tmpfile 1 w", "put 1", "publish 1 w/f", "put 1", "fchmod 1", "close 1"},
		want: []string{"create w/f", "close w/f"}, // the rest may have been before
		slow: []string{"create w/f", "modify w/f", "attrib w/f", "close w/f"},
	},
	{
		name: "an unnamed file that is never published is nothing",
		do:   []string{"tmpfile 1 w", "put 1", "close 1"},
	},
	{
		name:   "atomic replacement",
		before: []string{"write w/conf"},
		do:     []string{"write w/.conf.new", "rename w/.conf.new w/conf", "write w/conf"},
		want: []string{
			"create w/.conf.new", "modify w/.conf.new", "close w/.conf.new", "rename w/conf < w/.conf.new",
			"modify w/conf", "close w/conf",
		},
	},
	{
		name: "a name used again is another file",
		do:   []string{"touch w/f", "unlink w/f", "touch w/f", "mkdir w/d", "rmdir w/d", "mkdir w/d"},
		want: []string{"create w/f", "unlink w/f", "create w/f", "mkdir w/d", "rmdir w/d", "mkdir w/d"},
	},
}

func TestOperations(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		for _, c := range operations {
			t.Run(c.name, func(t *testing.T) { operate(t, w, c.before, c.do, c.want, false) })
			slow := c.want
			if c.slow != nil {
				slow = c.slow
			}
			t.Run(c.name+", read step by step", func(t *testing.T) { operate(t, w, c.before, c.do, slow, true) })
		}
	})
}

// operate runs one case in directories that are new each time.
func operate(t *testing.T, w *world, before, do, want []string, slow bool) {
	w.t, w.player.t = t, t
	w.do("rmtree w", "rmtree o", "mkdir w", "mkdir o")
	w.do(before...)
	w.watch()
	var all []*event.Event
	for _, line := range do {
		w.do(line)
		if slow {
			all = append(all, w.events()...)
		}
	}
	all = append(all, w.events()...)
	var got []string
	for _, e := range all {
		got = append(got, w.line(e))
		w.identified(e)
	}
	if !equal(got, want) {
		t.Errorf("events differ\n got %q\nwant %q", got, want)
	}
	for _, counter := range []string{"fanotify_unresolved", "fanotify_malformed", "fanotify_doubts"} {
		if n := w.count(counter); n != 0 {
			t.Errorf("%s is %d", counter, n)
		}
	}
}

func equal(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// identified makes sure that an event is complete and that what it tells of a
// file that still exists is what stat(2) tells.
func (w *world) identified(e *event.Event) {
	w.t.Helper()
	line := w.line(e)
	if e.File.Inode == 0 || e.File.Dev == 0 {
		w.t.Errorf("%s: inode %d, dev %d", line, e.File.Inode, e.File.Dev)
	}
	if string(e.Res) != event.Success || e.Boot == 0 || string(e.Watch) != filepath.Join(w.root, "w") {
		w.t.Errorf("%s: result %q, time %d, watch %q", line, e.Res, e.Boot, e.Watch)
	}
	if e.Proc.Pid != uint64(w.pid) || len(e.Proc.Comm) == 0 || len(e.Proc.Exe) == 0 {
		w.t.Errorf("%s: process %+v", line, e.Proc)
	}
	if string(e.File.Mountpoint) != w.root || len(e.File.FSType) == 0 {
		w.t.Errorf("%s: mountpoint %q, type %q", line, e.File.Mountpoint, e.File.FSType)
	}
	w.sameAsStat(e)
}

func (w *world) sameAsStat(e *event.Event) {
	w.t.Helper()
	var st unix.Stat_t
	if unix.Lstat(string(e.File.HostPath), &st) != nil || e.Op == event.OpUnlink || e.Op == event.OpRmdir {
		return
	}
	if e.File.Inode != st.Ino {
		return // the name is another file's by now
	}
	if e.File.Dev != st.Dev || e.File.Type != 0 && e.File.Type != event.TypeOf(st.Mode) {
		w.t.Errorf("%s: dev %#x, type %s; stat says %#x, %o", w.line(e), e.File.Dev, e.File.Type, st.Dev, st.Mode)
	}
}

func TestADeletedFileKeepsItsInodeAndSaysThatItIsGone(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.do("write w/one", "write w/two", "link w/two o/other", "mkdir w/d")
		inode := map[string]uint64{}
		for _, name := range []string{"one", "two", "d"} {
			inode[name] = w.inode("w/" + name)
		}
		w.watch()
		w.do("unlink w/one", "unlink w/two", "rmdir w/d")
		all := w.expect("unlink w/one", "unlink w/two", "rmdir w/d")
		for i, want := range []struct {
			name    string
			deleted bool
		}{{"one", true}, {"two", false}, {"d", true}} {
			if e := all[i]; e.File.Inode != inode[want.name] || e.File.Deleted != want.deleted {
				t.Errorf("%s: inode %d, deleted %v; want %d, %v", want.name, e.File.Inode, e.File.Deleted, inode[want.name], want.deleted)
			}
		}
	})
}

func (w *world) inode(path string) uint64 {
	w.t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(filepath.Join(w.root, path), &st); err != nil {
		w.t.Fatal(err)
	}
	return st.Ino
}

func TestASymbolicLinkTellsItsTarget(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.watch()
		w.call("symlink", "../to \xff\n", "w/s")
		all := w.expect("symlink w/s")
		if e := all[0]; string(e.File.LinkTarget) != "../to \xff\n" || e.File.Type != event.TypeSymlink {
			t.Errorf("target %q, type %s", e.File.LinkTarget, e.File.Type)
		}
	})
}

func TestWhatOurselvesDoIsCountedAndLeftOut(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.do("mkdir w/d")
		w.watch()
		if err := os.WriteFile(filepath.Join(w.root, "w/ours"), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
		// Our own renames still move the tree.
		if err := os.Rename(filepath.Join(w.root, "w/d"), filepath.Join(w.root, "w/e")); err != nil {
			t.Fatal(err)
		}
		w.do("touch w/e/theirs")
		w.expect("create w/e/theirs")
		if w.count("fanotify_own") == 0 {
			t.Error("none counted")
		}
	})
}

func TestADirectoryRenamedBackAndForthUnseenHasNoPathUntilItIsSeen(t *testing.T) {
	for _, c := range []struct {
		name string
		do   []string
		want []string
	}{
		{
			"inside of the watch",
			[]string{"rename w/d w/e", "rename w/e w/d", "touch w/d/f", "rename w/d w/e", "touch w/e/g"},
			[]string{"rename w/e < w/d", "rename w/d < w/e", "create -", "create -"},
		},
		{
			"in and out",
			[]string{"rename w/d o/d", "rename o/d w/d", "touch w/d/f", "rename w/d o/d", "touch o/d/g"},
			[]string{"rename o/d < w/d", "rename w/d < o/d", "lost merged"},
		},
		{
			"outside of the watch",
			[]string{"rename o/d o/e", "rename o/e o/d", "touch o/d/f", "rename o/d o/e"},
			nil,
		},
		{
			"away in the end",
			[]string{"rename w/d o/d", "rename o/d w/d", "rename w/d w/new", "touch w/new/f"},
			[]string{"rename o/d < w/d", "rename w/d < o/d", "rename w/new < w/d", "create w/new/f"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, w *world) {
				w.do("mkdir w/d", "rmtree o", "mktree o/d")
				if c.do[0][:8] == "rename w" {
					w.do("rmdir o/d")
				}
				w.watch()
				w.do(c.do...)
				w.expect(c.want...)
				// Where it is now is found out anew.
				w.do("mktree w/d", "mktree w/e", "mktree o/d", "touch w/d/x", "touch w/e/x", "touch o/d/x")
				for _, e := range w.events() {
					if line := w.line(e); e.Op == event.OpCreate && line != "create w/d/x" && line != "create w/e/x" {
						t.Errorf("afterwards: %s", line)
					}
				}
			})
		})
	}
}
