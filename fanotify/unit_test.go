// SPDX-License-Identifier: Apache-2.0

package fanotify

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

func TestRecentKeepsTheLastEntriesAndNoMore(t *testing.T) {
	r := newRecent[int](3)
	for i := range 5 {
		if evicted := r.put([]byte{byte(i)}, i+1); (evicted != 0) != (i >= 3) {
			t.Errorf("%d: evicted %d", i, evicted)
		}
	}
	r.put([]byte{3}, 40) // not new: nothing goes
	r.remove([]byte{2})
	for i, want := range []int{0, 0, 0, 40, 5} {
		if got, ok := r.get([]byte{byte(i)}); got != want || ok != (want != 0) {
			t.Errorf("%d: got %d, %v", i, got, ok)
		}
	}
	for i := range 1000 {
		r.put([]byte{byte(i), byte(i >> 8)}, i)
		if i%3 == 0 {
			r.remove([]byte{byte(i), byte(i >> 8)})
		}
		if len(r.m) > 3 {
			t.Fatalf("%d entries", len(r.m))
		}
	}
}

func TestClosingsCountOnlyAfterModifications(t *testing.T) {
	f, g := ref("f"), ref("g")
	for name, c := range map[string]struct {
		do   func(w *writers)
		want string // closings by processes 1, 1, 2, 2 of f
	}{
		"never modified":            {func(*writers) {}, "false false false false"},
		"modified by itself":        {func(w *writers) { w.modified(f, 1) }, "true false false false"},
		"modified by another":       {func(w *writers) { w.modified(f, 2) }, "true false true false"},
		"another file modified":     {func(w *writers) { w.modified(g, 1) }, "false false false false"},
		"modified by both":          {func(w *writers) { w.modified(f, 1); w.modified(f, 2) }, "true true true false"},
		"merged with the closing":   {func(w *writers) { w.modified(f, 1); w.closed(f, 1, true) }, "true false false false"},
		"modified twice, told once": {func(w *writers) { w.modified(f, 1); w.modified(f, 1) }, "true false false false"},
	} {
		h := newHistory()
		c.do(&h.writers)
		var got []string
		for _, pid := range []int32{1, 1, 2, 2} {
			got = append(got, fmt.Sprint(h.closed(f, pid, false)))
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: got %s, want %s", name, s, c.want)
		}
	}
}

func TestManyWritersOfOneFileAreBounded(t *testing.T) {
	h := newHistory()
	for pid := range int32(100) {
		h.modified(ref("f"), pid)
	}
	if list, _ := h.files.get(ref("f")); len(list) != maxWriters {
		t.Errorf("%d writers", len(list))
	}
}

// dirs builds a tree from "dir=parent/name", the root being "r".
func dirs(rows ...string) *tree {
	t := newTree()
	t.put(ref("r"), node{place: place{name: "/"}, kind: anchor})
	for _, row := range rows {
		dir, at, _ := strings.Cut(row, "=")
		t.put(ref(dir), node{place: at2(at)})
	}
	return t
}

func at2(text string) place {
	parent, name, _ := strings.Cut(text, "/")
	return place{parent, name}
}

func TestTheTreeFollowsRenames(t *testing.T) {
	tr := dirs("a=r/a", "b=a/b", "c=b/c")
	path := func() string {
		p, lacks, a := tr.path(nil, ref("c"), 1)
		return fmt.Sprint(string(p), " ", string(lacks), " ", a)
	}
	if got := path(); got != "/a/b/c  0" {
		t.Error(got)
	}
	tr.move(ref("b"), at2("a/b"), at2("r/x"), 1)
	if got := path(); got != "/x/c  0" {
		t.Error(got)
	}
	tr.forget(func(key string, _ *node) bool { return key == "b" })
	if got := path(); got != fmt.Sprint(" b ", missing) {
		t.Error(got)
	}
}

func TestADirectoryRenamedBackAndForthIsInDoubtForTheRound(t *testing.T) {
	tr := dirs("a=r/a", "o=r/o", "d=a/d", "e=d/e")
	tr.move(ref("d"), at2("a/d"), at2("o/d"), 1)
	if _, _, a := tr.path(nil, ref("e"), 1); a != found {
		t.Errorf("after one rename: %d", a)
	}
	tr.move(ref("d"), at2("o/d"), at2("a/d"), 1)
	if _, _, a := tr.path(nil, ref("e"), 1); a != doubtful {
		t.Errorf("back again: %d", a)
	}
	paths, _ := tr.paths("e", 1)
	if want := []string{"/a/d/e", "/o/d/e"}; !slices.Equal(paths, want) {
		t.Errorf("got %q, want %q", paths, want)
	}
	tr.move(ref("d"), at2("a/d"), at2("r/new"), 1)
	if p, _, a := tr.path(nil, ref("e"), 1); a != found || string(p) != "/new/e" {
		t.Errorf("away: %q, %d", p, a)
	}
	tr.move(ref("d"), at2("r/new"), at2("a/d"), 1)
	if _, lacks, a := tr.path(nil, ref("e"), 2); a != missing || string(lacks) != "d" {
		t.Errorf("in the next round: %d, %q", a, lacks)
	}
}

func TestATreeThatIsNoneEndsNowhere(t *testing.T) {
	tr := dirs("a=b/a", "b=a/b")
	if _, _, a := tr.path(nil, ref("a"), 1); a != nowhere {
		t.Errorf("got %d", a)
	}
	tr.move(ref("a"), at2("b/a"), at2("b/x"), 1)
	tr.move(ref("a"), at2("b/x"), at2("b/a"), 1)
	if paths, lacks := tr.paths("b", 1); len(paths) > 0 || lacks != nil {
		t.Errorf("got %q, %q", paths, lacks)
	}
}

func TestTheTreeStaysBounded(t *testing.T) {
	tr := dirs()
	tr.limit = 100
	for i := range 10_000 {
		tr.put(ref(fmt.Sprint(i)), node{place: place{"r", "x"}, round: uint64(i)})
		if tr.trim(uint64(i)); len(tr.nodes) > 100 {
			t.Fatalf("%d directories", len(tr.nodes))
		}
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	for _, c := range []struct {
		err  error
		is   error
		says string
	}{
		{explainInit(unix.EPERM), ErrPrivilege, "CAP_SYS_ADMIN and CAP_DAC_READ_SEARCH"},
		{explainInit(unix.EINVAL), ErrKernel, "Linux 5.17"},
		{explainInit(unix.ENOSYS), ErrKernel, "CONFIG_FANOTIFY"},
		{explainInit(unix.EMFILE), unix.EMFILE, "fs.fanotify.max_user_groups"},
		{explainMark(unix.EPERM), ErrPrivilege, "CAP_SYS_ADMIN"},
		{explainMark(unix.EINVAL), ErrKernel, "FAN_RENAME needs Linux 5.17"},
		{explainMark(unix.ENODEV), unix.ENODEV, "no filesystem id"},
		{explainMark(unix.ENOSPC), unix.ENOSPC, "fs.fanotify.max_user_marks"},
		{explainHandle(unix.EPERM), ErrPrivilege, "CAP_DAC_READ_SEARCH"},
		{nothingMarked(nil), ErrNothing, "mount table"},
		{nothingMarked([]Refusal{{"/", "ext4", explainMark(unix.EPERM)}}), ErrPrivilege, "CAP_SYS_ADMIN"},
	} {
		if !errors.Is(c.err, c.is) || !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("%v: want it to say %q", c.err, c.says)
		}
	}
}

func TestWithoutPrivilegesTheErrorNamesTheCapabilities(t *testing.T) {
	kernel(t)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleEnv+"="+roleNobody)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "CAP_SYS_ADMIN") {
		t.Errorf("got %q, %v", out, err)
	}
}

// tryOpen is what TestMain does as an unprivileged user.
func tryOpen() {
	_, err := Open(Options{Ops: event.Ops(), HostRoot: "/"})
	fmt.Println(err)
	if !errors.Is(err, ErrPrivilege) {
		os.Exit(1)
	}
	os.Exit(0)
}
