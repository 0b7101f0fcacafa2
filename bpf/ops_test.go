// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falco-fim/fim/event"
)

// Each operation gives its event, in the watched directory only.
func TestEachOperationGivesItsEvent(t *testing.T) {
	for _, root := range places(t) {
		dir := makeDir(t, root, "watched")
		out := makeDir(t, root, "out")
		b := openBackend(t, event.Ops(), dir)
		in := func(name string) string { return filepath.Join(dir, name) }
		away := func(name string) string { return filepath.Join(out, name) }
		for _, row := range []struct {
			name  string
			steps []string
			want  []string
		}{
			{"create, modify once, close with sizes", []string{step("create", in("a"), "xyz", "")},
				[]string{"create a", "modify a", "close a 0 -> 6"}},
			{"a second writer", []string{step("append", in("a"), "1")},
				[]string{"open a", "modify a", "close a 6 -> 7"}},
			{"reading", []string{step("read", in("a"))}, []string{"open a"}},
			{"truncate", []string{step("truncate", in("a"))}, []string{"truncate a"}},
			{"opening truncates", []string{step("append", in("a"), "12"), step("truncating", in("a"))},
				[]string{"open a", "modify a", "close a 0 -> 2", "open a", "truncate a", "close a 2 -> 0"}},
			{"rename inside", []string{step("rename", in("a"), in("b"))}, []string{"rename b from a"}},
			{"rename out", []string{step("rename", in("b"), away("b"))}, []string{"rename ../out/b from b"}},
			{"rename in", []string{step("rename", away("b"), in("c"))}, []string{"rename c from ../out/b"}},
			{"rename over", []string{step("create", in("d")), step("rename", in("d"), in("c"))},
				[]string{"create d", "rename c from d"}},
			{"exchange", []string{step("create", in("d")), step("exchange", in("c"), in("d"))},
				[]string{"create d", "rename d from c", "rename c from d"}},
			{"hard link", []string{step("link", in("c"), in("e"))}, []string{"link e from c"}},
			{"renaming a link over another does nothing", []string{step("rename", in("c"), in("e"))}, nil},
			{"symbolic link", []string{step("symlink", "to/\nnowhere", in("s"))}, []string{"symlink s -> to/\nnowhere"}},
			{"unlink", []string{step("unlink", in("e")), step("unlink", in("s"))}, []string{"unlink e", "unlink s"}},
			{"mkdir and rmdir", []string{step("mkdir", in("f")), step("mkdir", in("f/g")), step("create", in("f/g/h")),
				step("unlink", in("f/g/h")), step("rmdir", in("f/g")), step("rmdir", in("f"))},
				[]string{"mkdir f", "mkdir f/g", "create f/g/h", "unlink f/g/h", "rmdir f/g", "rmdir f"}},
			{"fifo and a file by mknod", []string{step("mkfifo", in("p")), step("mknod", in("q"))}, []string{"mknod p", "create q"}},
			{"a file without a name gets one", []string{step("tmpfile", dir, in("t"))}, []string{"create t"}},
			{"attributes, one event per call", []string{step("chmod", in("c")), step("chown", in("c")), step("utimes", in("c")), step("touch", in("c")), step("mtime", in("c")),
				step("setxattr", in("c")), step("removexattr", in("c")), step("setacl", in("c")), step("removeacl", in("c"))},
				[]string{"chmod c", "chown c", "utimes c", "utimes c", "utimes c", "setxattr c", "removexattr c", "setacl c", "setacl c"}},
			{"attributes of directories and symbolic links", []string{step("mkdir", in("ad")), step("chmod", in("ad")), step("mtime", in("ad")), step("symlink", "nowhere", in("as")), step("chown", in("as")),
				step("unlink", in("as")), step("rmdir", in("ad"))},
				[]string{"mkdir ad", "chmod ad", "utimes ad", "symlink as -> nowhere", "chown as", "unlink as", "rmdir ad"}},
			{"attributes refused", []string{step("refused", "chmod", in("zz")), step("refused", "removexattr", in("c"))}, nil},
			{"a write strips set-id bits: no change of attributes", []string{step("mknod", in("su")), step("setuid", in("su")), step("drop"), step("append", in("su"), "x")},
				[]string{"create su", "chmod su", "open su", "modify su", "close su 0 -> 1"}},
			{"refused operations", []string{step("refused", "mkdir", in("c")), step("refused", "rmdir", in("zz")), step("refused", "link", in("zz"), in("zy"))}, nil},
			{"outside", []string{step("create", away("x"), "1"), step("rename", away("x"), away("y")), step("mkdir", away("z")),
				step("rmdir", away("z")), step("unlink", away("y"))}, nil},
			{"hostile names", []string{step("create", in("a\nb\"'\\\xff\xfe")), step("create", in(strings.Repeat("é", 127)+"x"))},
				[]string{"create a\nb\"'\\\xff\xfe", "create " + strings.Repeat("é", 127) + "x"}},
		} {
			t.Run(filepath.Base(root)+"/"+row.name, func(t *testing.T) {
				got := lines(observe(t, b, in("end of row"), row.steps...), dir)
				os.Remove(in("end of row"))
				for i := range got {
					got[i] = strings.ReplaceAll(got[i], out, "../out")
					got[i] = strings.ReplaceAll(got[i], strings.TrimPrefix(out, "/"), "../out")
				}
				equal(t, got, row.want)
			})
		}
		logStats(t, b)
	}
}

// logStats shows the counters that moved.
func logStats(t *testing.T, b *Backend) {
	for _, h := range b.Hooks() {
		t.Logf("%-60s %s %s", h.Program, h.Variant, h.Why)
	}
	for _, c := range b.Stats() {
		if c.Value > 0 {
			t.Logf("%-40s %d", c.Name, c.Value)
		}
	}
}

func TestAnEventTellsWhoAndWhat(t *testing.T) {
	for _, root := range places(t) {
		dir := makeDir(t, root, "watched")
		b := openBackend(t, []event.Op{event.OpCreate, event.OpMkdir}, dir)
		file := filepath.Join(dir, "a")
		cmd := actor("steps", step("create", file), step("mkdir", filepath.Join(dir, "end")))
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		e := drain(t, b, filepath.Join(dir, "end"))[0]
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		checkIdentity(t, e, info)
		if e.Proc.Pid != uint64(cmd.Process.Pid) {
			t.Errorf("pid %d, the actor's is %d", e.Proc.Pid, cmd.Process.Pid)
		}
		if e.Proc.Ppid != event.Known(uint64(os.Getpid())) || e.Proc.UID != event.Known(uint64(os.Getuid())) {
			t.Errorf("parent %v, user %v", e.Proc.Ppid, e.Proc.UID)
		}
		if string(e.Proc.Comm) != "exe" || string(e.File.ViewPath) != file || string(e.Watch) != dir {
			t.Errorf("comm %q, view path %q, pattern %q", e.Proc.Comm, e.File.ViewPath, e.Watch)
		}
		if now := bootTime(); e.Boot == 0 || e.Boot > now {
			t.Errorf("boot time %d, now it is %d", e.Boot, now)
		}
	}
}
