// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The steps that start a process start this program again.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-test.") {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestStepsRunInOrderUntilOneFails(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct{ steps, wrong string }{
		{"create f hello , append f _world , rename f g", ""},
		{"fails ENOENT unlink f", ""},
		{"fails EACCES unlink f", "ENOENT"},
		{"fails ENOENT chmod 600 g", "succeeded"},
		{"create h , explode , create i", "no such step"},
		{"fails EINVAL explode", "no such step"},
		{"unlink i", "no such file"},
		{"create", "want: create PATH [TEXT]"},
		{"create a b c", "want: create"},
		{"open wronly|sideways h", "sideways"},
		{", create j", "empty step"},
		{"fails EPERM", "want fails"},
		{"setxattr user.a 1 h sideways", "sideways"},
		{"mmap rdwr sideways shared h", "sideways"},
		{"mmap rdwr read sideways h", "sideways"},
		{"fails EEXIST uring-create h", ""},
		{"fails ENOENT uring-worker-write none x", ""},
		{"spawn fails EEXIST unlink none", "ended with status 0x100"},
		{"spawn exec /bin/true , dive d 3 , create ../../../deep", ""},
	} {
		err := run(strings.Fields(c.steps))
		if c.wrong == "" && err != nil || c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)) {
			t.Errorf("%s: got %v, want %q", c.steps, err, c.wrong)
		}
	}
	if err := os.Chdir("../../.."); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile("g"); string(got) != "hello_world" {
		t.Errorf("g holds %q, %v", got, err)
	}
}

func TestEveryWayToWriteLeavesTheTextInTheFile(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, steps := range []string{
		"write f hello", "append f hello", "overwrite f hello", "pwrite f 0 hello", "writev f he llo", "pwritev2 f 0 hello",
		"copy_file_range from f", "sendfile from f", "splice hello f", "mmap-store f hello", "mprotect-store f hello",
		"uring-write f hello", "uring-worker-write f hello", "unlink f , uring-create f hello", "unlink f , uring-worker-create f hello",
		"fd-open wronly f , fd-write hello , fd-close", "fd-open wronly f , spawn fd-write hello , fd-close",
		"handle f , rename f g , fd-open-handle wronly . , fd-write hello , fd-close , rename g f",
		"unlink f , tmpfile . hello f",
	} {
		prepare := "create from hello , create f , truncate f 5"
		if steps[0] == 'a' {
			prepare = "create from hello , create f"
		}
		if err := run(strings.Fields(prepare + " , " + steps + " , unlink from")); err != nil {
			t.Fatalf("%s: %v", steps, err)
		}
		if got, err := os.ReadFile("f"); string(got) != "hello" {
			t.Errorf("%s: f holds %q, %v", steps, got, err)
		}
		if err := os.Remove("f"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestADescriptorIsGivenToAnotherProcess(t *testing.T) {
	t.Chdir(t.TempDir())
	other := exec.Command("/proc/self/exe", strings.Fields("fd-receive s , fd-write there , fd-close")...)
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	if err := run(strings.Fields("create f , fd-open wronly f , fd-write here , fd-send s , fd-close")); err != nil {
		t.Fatal(err)
	}
	if err := other.Wait(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile("f"); string(got) != "herethere" {
		t.Errorf("f holds %q, %v", got, err)
	}
}

func TestAHoleReadsAsZeros(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := run(strings.Fields("create f hello , punch f 1 3")); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile("f"); string(got) != "h\x00\x00\x00o" {
		t.Errorf("f holds %q, %v", got, err)
	}
}

func TestAnAccessListIsWhatGetfaclPrints(t *testing.T) {
	for text, want := range map[string]string{
		"user::rw-,user:1000:r-x,group::r--,group:7:---,mask::rwx,other::--x": "02000000" + "01000600ffffffff" + "02000500e8030000" +
			"04000400ffffffff" + "0800000007000000" + "10000700ffffffff" + "20000100ffffffff",
		"user::rw-,user:1000": "want KIND:ID:rwx",
		"owner::rw-":          "no such kind",
		"mask:7:rw-":          "no such kind, or not with an id",
		"user:-1:rw-":         "invalid syntax",
	} {
		got, err := parseACL(text)
		if err != nil && !strings.Contains(err.Error(), want) || err == nil && hex.EncodeToString(got) != want {
			t.Errorf("%s: got %x, %v; want %s", text, got, err, want)
		}
	}
	t.Chdir(t.TempDir())
	const list = "user::rwx,user:1000:r-x,group::r--,mask::r-x,other::---"
	if err := run([]string{"mkdir", "d", ",", "setacl", "access", list, "d", ",", "setacl", "default", list, "d"}); err != nil {
		t.Fatal(err)
	}
	show := func() string {
		out, err := exec.Command("getfacl", "--numeric", "--omit-header", "d").CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(bytes.ReplaceAll(bytes.TrimSpace(out), []byte("\n"), []byte(",")))
	}
	if got := show(); got != list+",default:"+strings.ReplaceAll(list, ",", ",default:") {
		t.Errorf("getfacl prints %s", got)
	}
	if err := run([]string{"removeacl", "access", "d", ",", "removeacl", "default", "d"}); err != nil {
		t.Fatal(err)
	}
	if got := show(); got != "user::rwx,group::r--,other::---" && got != "user::rwx,group::r-x,other::---" {
		t.Errorf("getfacl prints %s", got)
	}
}

func TestFlagsAreSetAndClearedByTheirLetters(t *testing.T) {
	for _, c := range []struct {
		text   string
		column int
		want   uint32
		wrong  string
	}{
		{"+i", 0, 0x80010, ""}, {"-dS", 0, 0x80000, ""}, {"+aA", 0, 0x800a0, ""},
		{"+i", 1, 0x80008, ""}, {"-iaAdS", 1, 0x80000, ""},
		{"i", 0, 0, "want + or -"}, {"+x", 0, 0, "no flag"}, {"", 0, 0, "want + or -"},
	} {
		flags := uint32(0x80000)
		err := change(&flags, c.text, c.column)
		if c.wrong == "" && (err != nil || flags != c.want) || c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)) {
			t.Errorf("%q: %#x, %v", c.text, flags, err)
		}
	}
}

func TestEveryWayToChangeAModeChangesIt(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, how := range []string{"chmod", "fchmod", "fchmodat2"} {
		err := run([]string{"create", how, ",", how, "4711", how})
		if how == "fchmodat2" && err != nil && strings.Contains(err.Error(), unix.EOPNOTSUPP.Error()) {
			t.Logf("%s: needs Linux 6.6", how)
			continue
		}
		var st unix.Stat_t
		if err := unix.Lstat(how, &st); err != nil {
			t.Fatal(err)
		}
		if err != nil || st.Mode&0o7777 != 0o4711 {
			t.Errorf("%s: mode %o, %v", how, st.Mode, err)
		}
	}
}

func TestTreesAreMadeAndRemovedWhole(t *testing.T) {
	dir := t.TempDir()
	top := filepath.Join(dir, "new\nline")
	err := run([]string{
		"mkdirs", top + "/b/c", ",", "mkdirs", top + "/a", ",", "create", top + "/b/c/\xff", ",",
		"symlink", "/", top + "/root", ",", "mknod", "fifo", top + "/p", ",", "bind", top + "/s", ",",
		"fill", top + "/a", "3", ",", "rmtree", top,
	})
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestEveryStepSaysWhatItTakes(t *testing.T) {
	var text strings.Builder
	help(&text)
	for _, s := range steps {
		if !strings.Contains(text.String(), s.name) {
			t.Errorf("help does not name %s", s.name)
		}
		if least, most := arity(s.args); least > most {
			t.Errorf("%s: takes %d to %d arguments", s.name, least, most)
		}
	}
}
