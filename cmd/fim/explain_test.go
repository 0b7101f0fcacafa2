// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/source"
)

// tree makes, on a filesystem of its own, what the tests below ask about: a
// directory w that also shows at shown, and a link to it.
func tree(t *testing.T) string {
	t.Helper()
	dir := tmpfs(t)
	for _, d := range []string{"w/tmp", "shown", "other"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "w/f"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("w", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(filepath.Join(dir, "w"), filepath.Join(dir, "shown"), "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(filepath.Join(dir, "shown"), 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestExplainTellsByWhichPatternLinkMountOrExclude(t *testing.T) {
	dir := tree(t)
	var st unix.Stat_t
	if err := unix.Stat(dir+"/w/f", &st); err != nil {
		t.Fatal(err)
	}
	file := fmt.Sprintf("file, inode %d, device %d:%d", st.Ino, unix.Major(st.Dev), unix.Minor(st.Dev))
	for name, row := range map[string]struct {
		watch, exclude, path string
		code                 int
		want                 []string
	}{
		"by its own path":                     {"w", "", "w/f", exitDone, []string{"yes, by the pattern @/w\n", file, "(tmpfs, device"}},
		"what does not exist yet":             {"w", "", "w/later/f", exitDone, []string{"yes, by the pattern @/w\n", "none of that name now"}},
		"beside every pattern":                {"w", "", "other", exitFailed, []string{"no: no pattern matches"}},
		"with a name that only begins alike":  {"w", "", "ww", exitFailed, []string{"no: no pattern matches"}},
		"left out by an exclude":              {"w", "w/tmp", "w/tmp/x", exitFailed, []string{"no: the exclude @/w/tmp wins over the pattern @/w"}},
		"asked for through a symbolic link":   {"w", "", "link/f", exitDone, []string{"host path", "@/w/f (symbolic links resolved)", "yes, by the pattern @/w\n", file}},
		"a pattern through a symbolic link":   {"link", "", "w/f", exitDone, []string{"yes, by the pattern @/link, which a symbolic link makes @/w\n"}},
		"the link itself":                     {"link", "", "link", exitDone, []string{"yes, by the pattern @/link\n", "symlink, inode", "leads to w (explain that as well)"}},
		"through another mount":               {"w", "", "shown/f", exitDone, []string{"yes, by the pattern @/w, since a mount shows it as @/w/f", "also visible as", file}},
		"left out under another mount's name": {"w", "w/f", "shown/f", exitFailed, []string{"no: the exclude @/w/f wins over the pattern @/w, since a mount shows it as @/w/f"}},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"explain", "--watch", dir + "/" + row.watch}
			if row.exclude != "" {
				args = append(args, "--exclude", dir+"/"+row.exclude)
			}
			out, errs, code := fim(t, "", append(args, dir+"/"+row.path)...)
			if code != row.code || errs != "" {
				t.Errorf("exit code %d, want %d: %s", code, row.code, errs)
			}
			for _, want := range append(row.want, "backend ") {
				if want = strings.ReplaceAll(want, "@", dir); !strings.Contains(out, want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
		})
	}
}

func TestExplainTakesARelativePathAndTheDefaultWatchList(t *testing.T) {
	tmpfs(t) // for the privileges
	t.Chdir("/etc")
	out, errs, code := fim(t, "", "explain", "passwd")
	if code != exitDone || !strings.Contains(out, "yes, by the pattern /etc\n") {
		t.Errorf("exit code %d: %s\n%s", code, errs, out)
	}
}

// explanations are answers of every shape, made up.
var explanations = []*source.Explanation{
	{
		Path: "/etc/passwd", Host: "/etc/passwd", Watched: true, Through: "/etc/passwd", Pattern: "/etc",
		Mount: "/ (ext4, device 8:1)", Exists: true, Type: event.TypeFile, Inode: 737, Dev: 0x801, Links: 1,
		Backend: "ebpf", Can: "sees every change, and when it took effect",
	},
	{
		Path: "/bin/sh", Host: "/usr/bin/sh", Watched: true, Through: "/usr/bin/sh", Pattern: "/bin", Resolved: "/usr/bin",
		Mount: "/ (ext4, device 8:1)", Exists: true, Type: event.TypeSymlink, Inode: 9, Dev: 0x801, Links: 1, Target: "dash\x1b[31m",
		Backend: "fanotify", Can: "sees changes: content, attributes, names",
	},
	{
		Path: "/mnt/app/key\n", Host: "/mnt/app/key\n", Watched: true, Through: "/srv/app/key\n", Pattern: "/srv/app",
		Others: []string{"/srv/app/key\n", "/var/lib/app/key\n"}, Mount: "/mnt (xfs, device 253:3)",
		Exists: true, Type: event.TypeFile, Inode: 18446744073709551615, Dev: 0xfd03, Links: 3,
		Backend: "ebpf", Can: "sees every change, and when it took effect",
	},
	{
		Path: "/etc/a.swp", Host: "/etc/a.swp", Through: "/etc/a.swp", Pattern: "/etc", Exclude: "/etc/**/*.swp",
		Can: "fanotify: no such device",
	},
}

func TestAnExplanationLooksAsItsGoldenFile(t *testing.T) {
	var got strings.Builder
	for _, x := range explanations {
		for _, f := range explanation(x) {
			printFact(&got, f)
		}
		got.WriteByte('\n')
	}
	checkGolden(t, "explain.txt", []byte(got.String()))
}

// hooks are rows of every shape, made up.
var hooks = []source.Hook{
	{Function: "d_move", Program: "fentry", Needed: []string{"every operation"}},
	{Function: "d_move (return)", Program: "fexit", Needed: []string{"every operation"}},
	{Function: "security_path_unlink", Program: "lsm"},
	{Function: "vfs_mkdir", Program: "kprobe + kretprobe", Needed: []string{"mkdir"}, Variant: "(idmap, dir, dentry, mode)"},
	{Function: "vfs_link", Program: "fexit", Needed: []string{"link", "create"}, Variant: "(old_dentry, idmap, dir, new_dentry, delegated_inode)"},
	{Function: "kiocb_modified", Why: "kernel function kiocb_modified: this kernel has none of that name"},
}

func TestHooksAreATableOfAlignedColumns(t *testing.T) {
	checkGolden(t, "hooks.txt", appendHooks(nil, hooks))
	if got := appendHooks([]byte("x"), nil); string(got) != "x" {
		t.Errorf("no hooks make %q", got)
	}
}

func checkGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s\n(rewrite with -update)", file, got, want)
	}
}
