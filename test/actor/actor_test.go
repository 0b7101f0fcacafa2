// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
	} {
		err := run(strings.Fields(c.steps))
		if c.wrong == "" && err != nil || c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)) {
			t.Errorf("%s: got %v, want %q", c.steps, err, c.wrong)
		}
	}
	if got, err := os.ReadFile("g"); string(got) != "hello_world" {
		t.Errorf("g holds %q, %v", got, err)
	}
}

func TestEveryWayToWriteLeavesTheTextInTheFile(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, steps := range []string{
		"write f hello", "append f hello", "overwrite f hello", "pwrite f 0 hello", "writev f he llo",
		"copy_file_range from f", "sendfile from f", "splice hello f", "mmap-store f hello",
		"fd-open wronly f , fd-write hello , fd-close", "unlink f , tmpfile . hello f",
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
