// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/falco-fim/fim/event"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func name(s string) []byte { return []byte(s) }

// rows are events of every shape that a table shows.
func rows() []*event.Event {
	noon := uint64(time.Date(2026, 2, 28, 23, 59, 58, 123e6, time.UTC).UnixNano())
	sh := event.Process{Pid: 4711, Comm: name("sh"), UID: event.Known(0)}
	file := func(path string) event.File {
		return event.File{HostPath: name(path), Inode: 131842, Dev: 0xfd00}
	}
	return []*event.Event{
		{Op: event.OpCreate, Time: noon, File: file("/tmp/w/a"), Proc: sh},
		{Op: event.OpRename, Time: noon + 1e9, File: file("/tmp/w/b"), Old: event.Old{HostPath: name("/tmp/w/a")}, Proc: sh},
		{Op: event.OpRename, Time: noon + 1e9, File: file("/tmp/w/from outside"), Proc: sh},
		{Op: event.OpSymlink, Time: noon + 2e9, File: event.File{HostPath: name("/w/l"), Inode: 1, Dev: 5, LinkTarget: name("../no\nwhere")}},
		{Op: event.OpUnlink, Time: noon + 2e9, File: file("/w/\x1b[31mred \xff\xfe \u202egnp.exe \u200bx \u009b"), Proc: event.Process{Pid: 1, Comm: name("a\n]b"), UID: event.Known(65534)}},
		{Op: event.OpModify, Time: noon + 3e9, File: file("/w/设定/Ольга/é/e\u0301")},
		{Op: event.OpAttrib, Time: noon + 3e9, File: file("/" + strings.Repeat("long/", 40) + "name"), Proc: event.Process{Pid: 4194304, Comm: name("fifteen-letters"), UID: event.Known(4294967294)}},
		{Op: event.OpTruncate, Time: noon + 3e9, File: file("/w/f"), Proc: sh},
		{Op: event.OpRemovexattr, Time: noon + 3e9, File: file("/w/f"), Proc: sh},
		{Op: event.OpExec, Time: noon + 3e9, File: file("/w/f"), Proc: sh},
		{Op: event.OpMkdir, Time: noon + 4e9, Failed: true, Res: name("EACCES"), File: event.File{HostPath: name("/w/d")}},
		{Op: event.OpLost, Time: noon + 4e9, Lost: event.Lost{Count: event.Known(1204), Reason: name("ring_full")}},
		{Op: event.OpLost, Lost: event.Lost{Reason: name("queue_full")}},
		{Op: event.OpClose, Time: noon + 86400e9, File: event.File{Inode: 18446744073709551615, Dev: 0xfffffffffffff}},
	}
}

func testTable(width int) *table {
	t := newTable(nil)
	t.width, t.zone = func() int { return width }, time.UTC
	return t
}

func TestATableLooksAsItsGoldenFileAtEveryWidth(t *testing.T) {
	for _, width := range []int{80, 120, 200} {
		tab := testTable(width)
		tab.color = width == 200
		var got []byte
		for _, e := range rows() {
			got = tab.appendRow(got, e)
		}
		file := filepath.Join("testdata", fmt.Sprintf("table-%d.txt", width))
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: got\n%s\nwant\n%s\n(rewrite with -update)", file, got, want)
		}
	}
}

func TestARowOfShortValuesFitsTheTerminal(t *testing.T) {
	for width := 80; width <= 200; width++ {
		row := testTable(width).appendRow(nil, rows()[0])
		for line := range bytes.Lines(row) {
			if n := displayWidth(bytes.TrimSpace(line)); n > width {
				t.Errorf("%d columns wide on a terminal of %d: %s", n, width, line)
			}
		}
	}
}

func TestANewWidthBringsNewHeads(t *testing.T) {
	tab := testTable(80)
	got := tab.appendRow(nil, rows()[0])
	tab.width = func() int { return 200 }
	got = tab.appendRow(tab.appendRow(got, rows()[0]), rows()[0])
	if n := bytes.Count(got, []byte("HOST PATH")); n != 2 {
		t.Errorf("%d heads in\n%s", n, got)
	}
}

func TestOnlyThePrintableReachesTheTerminal(t *testing.T) {
	for in, want := range map[string]string{
		"":                           "-",
		"plain":                      "plain",
		"Ольга 设定 é":                 "Ольга 设定 é",
		"a\nb\x1b[2Jc\x7f":           `a\x0ab\x1b[2Jc\x7f`,
		"\u009b1m":                   `\xc2\x9b1m`,
		"\xff\xc3":                   `\xff\xc3`,
		"\u202egnp.exe\u2069\u200f":  `\u202egnp.exe\u2069\u200f`,
		"zero\u200bwidth\ufeff":      `zero\u200bwidth\ufeff`,
		"tag \U000e0041":             `tag \U000e0041`,
		"line\u2028paragraph\u2029":  `line\u2028paragraph\u2029`,
		"no-break\u00a0space\u3000x": `no-break\u00a0space\u3000x`,
	} {
		if got := string(appendName(nil, []byte(in))); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func FuzzARowIsOneSafeLine(f *testing.F) {
	f.Add([]byte("/w/\x1b[31m\u202e\xff\n"), []byte("sh\r"))
	f.Fuzz(func(t *testing.T, path, comm []byte) {
		e := event.Event{Op: event.OpRename, File: event.File{HostPath: path}, Old: event.Old{HostPath: comm}, Proc: event.Process{Pid: 1, Comm: comm}}
		tab := testTable(80)
		tab.appendRow(nil, &e) // the heads
		row := string(tab.appendRow(nil, &e))
		if strings.Count(row, "\n") != 1 || !strings.HasSuffix(row, "\n") {
			t.Fatalf("not one line: %q", row)
		}
		for _, r := range strings.TrimSuffix(row, "\n") {
			if !unicode.IsPrint(r) {
				t.Fatalf("%q holds %U", row, r)
			}
		}
	})
}

func TestAWideRuneTakesTwoColumnsAndACombiningOneNone(t *testing.T) {
	for text, want := range map[string]int{"abc": 3, "设定": 4, "e\u0301": 1, "한": 2, "😀": 2, "é": 1, "": 0} {
		if got := displayWidth([]byte(text)); got != want {
			t.Errorf("%q is %d columns wide, want %d", text, got, want)
		}
	}
}
