// SPDX-License-Identifier: Apache-2.0

package fanotify

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/falco-fim/fim/event"
)

var hostileNames = []string{
	"plain", "déjà vu", "Ольга", "日本語", "😀", "bad \xff\xfe utf-8", "new\nline", `quo"te`, `back\slash`,
	" (deleted)", "x (deleted)", "//deleted", "\x1b[31m", "...", "#12", "#", "tab\t", "\\012", "\\040", " ", strings.Repeat("n", 255),
}

func TestNamesArriveAsTheyAre(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		var want []string
		w.do("mkdir w/dirs", "mkdir w/late")
		for _, name := range hostileNames {
			if strings.Contains(name, "/") {
				continue
			}
			w.call("mkdir", "w/late/"+name) // to be looked up, its making is not seen
		}
		w.watch()
		for _, name := range hostileNames {
			if strings.Contains(name, "/") {
				continue
			}
			w.call("write", "w/"+name)
			w.call("rename", "w/"+name, "w/dirs/"+name)
			w.call("mkdir", "w/"+name)
			w.call("touch", "w/"+name+"/f")
			w.call("touch", "w/late/"+name+"/f")
			want = append(want, "create w/"+name, "modify w/"+name, "close w/"+name, "rename w/dirs/"+name+" < w/"+name,
				"mkdir w/"+name, "create w/"+name+"/f", "create w/late/"+name+"/f")
		}
		w.expect(want...)
	})
}

func TestAFileCalledLikeAnUnnamedOneIsNotTakenForOne(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.do("touch w/f")
		name := fmt.Sprintf("w/#%d", w.inode("w/f"))
		w.do("rename w/f "+name, "mkdir w/other")
		w.watch()
		w.do("write "+name, "write "+name, "rename "+name+" w/other/g", "write w/other/g")
		w.expect("modify "+name, "close "+name, "rename w/other/g < "+name, "modify w/other/g", "close w/other/g")
	})
}

func TestPathsMayBeDeepAndLong(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		deep := "w" + strings.Repeat("/d", 128)
		w.call("mktree", deep)
		part := strings.Repeat("n", 200)
		long := "w"
		for len(w.root)+1+len(long)+1+len(part)+2 <= 4094 {
			long += "/" + part
			w.call("mkdir", long)
		}
		// PATH_MAX counts the NUL: 4,095 bytes at most, from "/" on.
		file := long + "/" + strings.Repeat("f", 4095-len(w.root)-1-len(long)-1)
		w.watch()
		w.call("touch", deep+"/f")
		w.call("touch", file)
		all := w.expect("create "+deep+"/f", "create "+file)
		if n := len(all[1].File.HostPath); n != 4095 {
			t.Errorf("%d bytes", n)
		}
	})
}

func TestPathsMayBeLongerThanTheKernelTells(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		part := strings.Repeat("n", 250)
		path := "w"
		w.do("chdir w")
		for range 30 { // 7,500 bytes, which only relative names reach
			w.call("mkdir", part)
			w.call("chdir", part)
			path += "/" + part
		}
		w.watch()
		w.do("touch f", "mkdir d", "touch d/g")
		w.expect("create "+path+"/f", "mkdir "+path+"/d", "create "+path+"/d/g")
		w.call("chdir", w.root)
	})
}

func TestOpeningsAreToldWhenWanted(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.ops = []event.Op{event.OpOpen, event.OpCreate}
		w.do("touch w/f", "touch o/g")
		w.watch()
		w.do("read w/f", "read o/g", "touch w/new")
		w.expect("open w/f", "create w/new")
		w.do("read w/new")
		w.expect("open w/new")
	})
}

func TestOnlyTheWantedOperationsAreTold(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.ops = []event.Op{event.OpUnlink, event.OpClose}
		w.watch()
		w.do("mktree w/a/b", "write w/a/b/f", "chmod w/a/b/f", "rename w/a w/c", "unlink w/c/b/f")
		w.expect("close w/a/b/f", "unlink w/c/b/f")
	})
}

// What the kernel does not tell apart is told by the name that stands for all of
// it, whichever was asked for.
func TestWhoAsksForOneKindGetsWhatStandsForIt(t *testing.T) {
	kernel(t)
	for _, row := range []struct {
		op   event.Op
		want []string
	}{
		{event.OpTruncate, []string{"modify w/f"}},
		{event.OpChmod, []string{"attrib w/f"}},
		{event.OpSetacl, []string{"attrib w/f"}},
		{event.OpAttrib, []string{"attrib w/f"}},
		{event.OpExec, nil},
		{event.OpMmap, nil},
	} {
		w := newWorld(t, mounters["tmpfs"])
		w.ops = []event.Op{row.op}
		w.do("write w/f")
		w.watch()
		w.do("truncate w/f", "chmod w/f")
		w.expect(row.want...)
	}
	if got := Unseen(event.Ops()); !slices.Equal(got, []event.Op{event.OpMmap, event.OpChattr, event.OpExec}) {
		t.Errorf("unseen are %v", got)
	}
}

func TestAClosingByAnotherProcessIsToldOnce(t *testing.T) {
	kernel(t)
	w := newWorld(t, mounters["tmpfs"])
	w.do("open 1 w/f")
	second := newPlayer(t, w.root)
	w.watch()
	w.do("put 1")
	w.expect("modify w/f")
	second.do("touch w/f") // opens for writing and closes, while the writer still has it open
	w.expect("close w/f")
	second.do("touch w/f")
	w.expect()
	w.do("close 1")
	w.expect("close w/f")
	w.do("touch w/f")
	w.expect()
}

func TestDescriptorsDoNotLeak(t *testing.T) {
	kernel(t)
	w := newWorld(t, mounters["tmpfs"])
	w.do("mktree w/a/b/c")
	before := openFiles(t)
	w.watch()
	for range 50 {
		w.do("write w/a/b/c/f", "write o/f")
		w.events()
	}
	w.do("write w/left") // waits when the group is closed
	if err := w.g.Next(new(event.Event), farAway()); err != nil {
		t.Fatal(err)
	}
	if err := w.g.Close(); err != nil {
		t.Fatal(err)
	}
	if after := openFiles(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
	if err := w.g.Next(new(event.Event), farAway()); err != os.ErrClosed {
		t.Errorf("after Close: %v", err)
	}
	if err := w.g.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
