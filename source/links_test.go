// SPDX-License-Identifier: Apache-2.0

package source

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/falco-fim/fim/bpf"
	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/links"
	"github.com/falco-fim/fim/watch"
)

// linked is a directory with a watched file that has a name elsewhere, and hardLinks that
// know nothing of it yet.
type linked struct {
	*hardLinks
	dir   string
	id    links.ID
	noted int
}

func newLinked(t *testing.T) *linked {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"etc/d", "out"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	set, err := watch.Compile(watch.Options{Include: []watch.Pattern{{Glob: EscapeGlob(dir + "/etc"), Name: "etc"}}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := openMounts("/", set)
	if err != nil {
		t.Fatal(err)
	}
	l := &linked{dir: dir, hardLinks: newHardLinks(setup{set: set, root: "/", logf: t.Logf}, m)}
	t.Cleanup(func() {
		l.close()
		if err := m.close(); err != nil {
			t.Error(err)
		}
	})
	l.file(t, "etc/a", "out/a")
	return l
}

// file makes a file with two names.
func (l *linked) file(t *testing.T, name, other string) {
	t.Helper()
	path := filepath.Join(l.dir, name)
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(path, filepath.Join(l.dir, other)); err != nil {
		t.Fatal(err)
	}
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	m, _ := l.mounts.now.Locate([]byte(path))
	l.id = links.ID{Dev: m.Dev, Inode: st.Ino}
}

func (l *linked) begin(t *testing.T) {
	t.Helper()
	l.start(func(int, bool) error { l.noted++; return nil })
}

// want checks as which path of the directory the file is watched, "" for none.
func (l *linked) want(t *testing.T, name string) {
	t.Helper()
	by, ok := l.alias(bpf.Numbers{Dev: l.id.Dev, Inode: l.id.Inode}, []byte(l.dir+"/out/a"))
	if name == "" {
		if ok {
			t.Errorf("it is watched as %s", by.Host)
		}
		return
	}
	if string(by.Host) != filepath.Join(l.dir, name) || string(by.Pattern) != "etc" || len(by.Mountpoint) == 0 || string(by.Reason) != "hardlink" {
		t.Errorf("it is watched as %q, mounted at %q, by %q, for %s; want %s", by.Host, by.Mountpoint, by.Pattern, by.Reason, name)
	}
}

func TestAFileThatHadANameElsewhereIsFoundAtStart(t *testing.T) {
	l := newLinked(t)
	l.begin(t)
	if l.walk != nil || l.noted != 1 {
		t.Errorf("%d files were noted, and the walk is over: %v", l.noted, l.walk == nil)
	}
	l.want(t, "etc/a")
}

func TestANameThatLeadsThroughASymbolicLinkIsNone(t *testing.T) {
	l := newLinked(t)
	if err := os.Symlink(filepath.Join(l.dir, "out"), filepath.Join(l.dir, "etc/s")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(l.dir, "etc/a")); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(l.dir, "out/a"), filepath.Join(l.dir, "out/b")); err != nil {
		t.Fatal(err)
	}
	l.begin(t)
	l.look(l.dir + "/etc/s/a")
	l.want(t, "")
	if l.holds(l.id, l.dir+"/etc/s/a") || !l.holds(l.id, l.dir+"/out/a") {
		t.Error("what holds is not what leads there without a link")
	}
}

func TestAfterALossWhatIsGoneCountsNoMore(t *testing.T) {
	l := newLinked(t)
	l.begin(t)
	if err := os.Remove(filepath.Join(l.dir, "etc/a")); err != nil {
		t.Fatal(err)
	}
	l.want(t, "etc/a") // no event has said so
	l.doubt()
	l.want(t, "")
}

func TestAfterALossAllIsWalkedThroughAgainButNotAtOnce(t *testing.T) {
	l := newLinked(t)
	l.begin(t)
	l.file(t, "etc/d/b", "out/b") // whose event was lost
	l.doubt()
	l.check()
	if l.walk != nil {
		t.Error("a walk follows the one before at once")
	}
	l.begun = time.Now().Add(-2 * walkPause)
	l.check()
	if l.walk == nil {
		t.Fatal("no walk")
	}
	<-l.walk.Done()
	l.want(t, "etc/d/b")
}

func TestADirectoryThatIsMovedInIsWalkedThrough(t *testing.T) {
	l := newLinked(t)
	l.begin(t)
	if err := os.MkdirAll(filepath.Join(l.dir, "out/new"), 0o755); err != nil {
		t.Fatal(err)
	}
	l.file(t, "out/new/b", "out/b")
	if err := os.Rename(filepath.Join(l.dir, "out/new"), filepath.Join(l.dir, "etc/new")); err != nil {
		t.Fatal(err)
	}
	e := &event.Event{Op: event.OpRename, File: event.File{Type: event.TypeDirectory, HostPath: []byte(l.dir + "/etc/new")}}
	e.Old.HostPath = []byte(l.dir + "/out/new")
	l.learn(0, e)
	if l.walk == nil {
		t.Fatal("no walk")
	}
	<-l.walk.Done()
	l.want(t, "etc/new/b")
	e.Old.HostPath, e.File.HostPath = []byte(l.dir+"/etc/new"), []byte(l.dir+"/out/new")
	l.check()
	l.learn(0, e)
	l.want(t, "")
}
