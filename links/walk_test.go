// SPDX-License-Identifier: Apache-2.0

package links

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/falco-fim/fim/watch"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// found walks through a tree to the end.
func found(t *testing.T, root string, include, exclude []watch.Pattern, enter func(string) bool) []string {
	t.Helper()
	set, err := watch.Compile(watch.Options{Include: include, Exclude: exclude})
	must(t, err)
	w := Start(root, set, set.Prefixes(), enter)
	defer w.Close()
	<-w.Done()
	paths, over := w.Found()
	if over {
		t.Error("it says that there were more")
	}
	slices.Sort(paths)
	return paths
}

func everywhere(string) bool { return true }

func TestAWalkFindsWatchedFilesWithSeveralNames(t *testing.T) {
	root := t.TempDir()
	must(t, os.MkdirAll(root+"/etc/d/skipped", 0o755))
	must(t, os.MkdirAll(root+"/out", 0o755))
	for _, name := range []string{"etc/single", "etc/d/a", "etc/d/skipped/b", "out/c", "out/e"} {
		must(t, os.WriteFile(filepath.Join(root, name), nil, 0o644))
	}
	must(t, os.Link(root+"/etc/d/a", root+"/out/a"))
	must(t, os.Link(root+"/etc/d/skipped/b", root+"/out/b"))
	must(t, os.Link(root+"/out/c", root+"/out/d"))
	must(t, os.Link(root+"/out/e", root+"/etc/file"))
	for i, to := range []string{".", "..", "/out", root + "/out"} { // not followed, however they lead
		must(t, os.Symlink(to, fmt.Sprintf("%s/etc/link%d", root, i)))
	}
	include := []watch.Pattern{{Glob: "/etc", Name: "/etc"}}
	exclude := []watch.Pattern{{Glob: "/etc/d/skipped", Name: "x"}}
	got := found(t, root, include, exclude, everywhere)
	if want := []string{"/etc/d/a", "/etc/file"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
	if got := found(t, root, include, exclude, func(dir string) bool { return dir != "/etc" }); len(got) != 0 {
		t.Errorf("found %q where it may not look", got)
	}
	got = found(t, root, []watch.Pattern{{Glob: "/etc/file", Name: "x"}, {Glob: "/etc/single", Name: "y"}, {Glob: "/not/there", Name: "z"}}, nil, everywhere)
	if want := []string{"/etc/file"}; !slices.Equal(got, want) {
		t.Errorf("of single files: found %q, want %q", got, want)
	}
}

func TestATreeInWhichEachFileIsAHardLinkIsBounded(t *testing.T) {
	root := t.TempDir()
	must(t, os.MkdirAll(root+"/etc", 0o755))
	must(t, os.WriteFile(root+"/etc/a", nil, 0o644))
	const many = 30_000 // of one file: ext4 allows 65,000
	for i := range many {
		must(t, os.Link(root+"/etc/a", fmt.Sprintf("%s/etc/%d", root, i)))
	}
	set, err := watch.Compile(watch.Options{Include: []watch.Pattern{{Glob: "/etc", Name: "/etc"}}})
	must(t, err)
	w := Start(root, set, set.Prefixes(), everywhere)
	<-w.Done()
	if _, files := w.Seen(); files != many+1 {
		t.Errorf("looked at %d files", files)
	}
	for range MaxFiles {
		w.add("/etc/x")
	}
	paths, over := w.Found()
	if len(paths) != MaxFiles || !over {
		t.Errorf("holds %d paths, want %d and that there were more", len(paths), MaxFiles)
	}
	if paths, over := w.Found(); len(paths) > 0 || over {
		t.Error("told twice")
	}
	w.Close()
}

func TestAWalkEndsWhenItIsClosed(t *testing.T) {
	root := t.TempDir()
	for i := range 200 {
		must(t, os.MkdirAll(fmt.Sprintf("%s/etc/%d", root, i), 0o755))
	}
	set, err := watch.Compile(watch.Options{Include: []watch.Pattern{{Glob: "/etc", Name: "/etc"}}})
	must(t, err)
	entered, leave := make(chan bool), make(chan bool)
	w := Start(root, set, set.Prefixes(), func(string) bool {
		entered <- true
		<-leave
		return true
	})
	<-entered
	w.stop()
	close(leave)
	w.Close()
	if directories, _ := w.Seen(); directories != 1 {
		t.Errorf("looked at %d directories, want the one it was in", directories)
	}
}
