// SPDX-License-Identifier: Apache-2.0

package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

// host makes a host's root with the files that are given, path to content.
func host(t testing.TB, files map[string]string) (dir string, h *Host) {
	t.Helper()
	dir = t.TempDir()
	for path, text := range files {
		put(t, filepath.Join(dir, path), text)
	}
	h, err := OpenHost(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return dir, h
}

func put(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// age makes a file look as if nobody had changed it for a while.
func age(t testing.TB, names *Names) {
	t.Helper()
	time.Sleep(2 * tick * time.Nanosecond)
	name(names, 0)
	if !names.users.settled {
		t.Fatal("a file that is old enough counts as changing")
	}
}

func name(names *Names, uid uint64) string {
	e := event.Event{Proc: event.Process{UID: event.Known(uid)}}
	names.Fill(&e)
	return string(e.Proc.User)
}

func TestIDsGetTheNamesOfTheHost(t *testing.T) {
	_, h := host(t, map[string]string{
		"etc/passwd": "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/:/bin/false\nolga:x:1000:1000::/home/olga:/bin/sh\ntoor:x:0:0::/:/bin/sh\n",
		"etc/group":  "root:x:0:\nadm:x:4:olga,daemon\n",
	})
	names := NewNames(h)
	defer names.Close()
	e := event.Event{
		Proc: event.Process{UID: event.Known(0), LoginUID: event.Known(1000), GID: event.Known(4)},
		File: event.File{UID: event.Known(1), GID: event.Known(0)},
	}
	names.Fill(&e)
	for what, is := range map[string][2]string{
		"user": {string(e.Proc.User), "root"}, "login": {string(e.Proc.Login), "olga"}, "group": {string(e.Proc.Group), "adm"},
		"owner": {string(e.File.Owner), "daemon"}, "group of the file": {string(e.File.Group), "root"},
	} {
		if is[0] != is[1] {
			t.Errorf("%s: got %q, want %q", what, is[0], is[1])
		}
	}
	e = event.Event{Proc: event.Process{UID: event.Known(4711)}}
	names.Fill(&e)
	if e.Proc.User != nil || e.Proc.Login != nil || e.Proc.Group != nil || e.File.Owner != nil {
		t.Errorf("ids without a name, or that are not known: %+v", e)
	}
}

func TestALineThatIsNoneIsPassedOver(t *testing.T) {
	table := parseNames([]byte(strings.Join([]string{
		"", ":x:1:", "noid:x::", "letters:x:1a:", "negative:x:-2:", "short:x:3", "alone", "+nis:x:4:", "-nis:x:5:", "#note:x:6:",
		"es\x1bc:x:7:", "t\tab:x:8:", "big:x:4294967296:", "none:x:4294967295:", strings.Repeat("n", 256) + ":x:9:",
		strings.Repeat("m", 255) + ":x:10:", "\xff\xfe:x:11:", "ok:x:12::::::::", "nobody:x:4294967294:", "also ok:x:13:\r", "second:x:12:",
	}, "\n")))
	want := map[uint64]string{10: strings.Repeat("m", 255), 11: "\xff\xfe", 12: "ok", 13: "also ok", 4294967294: "nobody"}
	for uid := range uint64(20) {
		if got := string(table.find(event.Known(uid))); got != want[uid] {
			t.Errorf("%d: got %q, want %q", uid, got, want[uid])
		}
	}
	for _, uid := range []uint64{1<<32 - 1, 1 << 32, 1<<32 + 12, 1<<64 - 1} {
		if got := table.find(event.Known(uid)); got != nil {
			t.Errorf("%d: got %q", uid, got)
		}
	}
	if len(table.rows) != len(want)+1 {
		t.Errorf("%d lines were taken", len(table.rows))
	}
}

func TestAFileOfUsersIsReadAgainWhenItChanges(t *testing.T) {
	dir, h := host(t, map[string]string{"etc/passwd": "before:x:1:1:::\n"})
	names := NewNames(h)
	defer names.Close()
	passwd := filepath.Join(dir, "etc/passwd")
	if got := name(names, 1); got != "before" {
		t.Fatalf("got %q", got)
	}
	age(t, names)
	put(t, passwd, "behind:x:1:1:::\n") // as long as before
	if got := name(names, 1); got != "behind" {
		t.Errorf("written in place: got %q", got)
	}
	age(t, names)
	put(t, passwd+"+", "beyond:x:1:1:::\n")
	if err := os.Rename(passwd+"+", passwd); err != nil {
		t.Fatal(err)
	}
	if got := name(names, 1); got != "beyond" {
		t.Errorf("replaced: got %q", got)
	}
	age(t, names)
	if err := os.Remove(passwd); err != nil {
		t.Fatal(err)
	}
	if got := name(names, 1); got != "" {
		t.Errorf("removed: got %q", got)
	}
	put(t, passwd, "again:x:1:1:::\n")
	names.users.checked -= recheck
	if got := name(names, 1); got != "again" {
		t.Errorf("made again: got %q", got)
	}
}

func TestAChangeWithinATickIsNoticed(t *testing.T) {
	dir, h := host(t, map[string]string{"etc/passwd": "before:x:1:1:::\n"})
	names := NewNames(h)
	defer names.Close()
	name(names, 1)
	names.users.at.ctime = unix.Timespec{} // whatever it was, it is this again:
	put(t, filepath.Join(dir, "etc/passwd"), "behind:x:1:1:::\n")
	names.users.at, _ = stampOf(names.users.fd)
	time.Sleep(2 * tick * time.Nanosecond)
	if got := name(names, 1); got != "behind" {
		t.Errorf("got %q", got)
	}
}

func TestWhatIsNoFileHasNoNames(t *testing.T) {
	for what, place := range map[string]func(path string) error{
		"a pipe":               func(path string) error { return unix.Mkfifo(path, 0o644) },
		"a directory":          func(path string) error { return os.Mkdir(path, 0o755) },
		"a link that leads up": func(path string) error { return os.Symlink("../../../../../../../../etc/shadow-", path) },
		"a link out":           func(path string) error { return os.Symlink("/proc/self/root/etc/passwd", path) },
		"a device":             func(path string) error { return unix.Mknod(path, unix.S_IFCHR|0o644, int(unix.Mkdev(1, 5))) },
	} {
		dir, h := host(t, map[string]string{"etc/x": ""})
		if err := place(filepath.Join(dir, "etc/passwd")); err != nil {
			t.Logf("%s: %v", what, err)
			continue
		}
		names := NewNames(h)
		if got := name(names, 0); got != "" {
			t.Errorf("%s: got %q", what, got)
		}
		names.Close()
	}
}

func TestALinkLeadsToTheFileOfTheHost(t *testing.T) {
	dir, h := host(t, map[string]string{"var/db/users": "inside:x:0:0:::\n"})
	if err := os.MkdirAll(filepath.Join(dir, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/var/db/users", filepath.Join(dir, "etc/passwd")); err != nil {
		t.Fatal(err)
	}
	names := NewNames(h)
	defer names.Close()
	if got := name(names, 0); got != "inside" {
		t.Errorf("got %q", got)
	}
}

func TestTenMegabytesOfUsersAreReadAndMoreAreCut(t *testing.T) {
	var b strings.Builder
	for i := 0; b.Len() < 17<<20; i++ {
		fmt.Fprintf(&b, "user%07d:x:%d:%d:a user among many:/home/many:/bin/sh\n", i, i, i)
		if i == 140_000 && b.Len() > 10<<20 {
			t.Fatalf("%d bytes", b.Len())
		}
	}
	_, h := host(t, map[string]string{"etc/passwd": b.String()})
	names := NewNames(h)
	defer names.Close()
	if got := name(names, 140_000); got != "user0140000" {
		t.Errorf("got %q", got)
	}
	last := uint64(strings.Count(b.String(), "\n") - 1)
	if got := name(names, last); got != "" {
		t.Errorf("behind the bound: got %q", got)
	}
	if n := len(names.users.rows); n > 300_000 {
		t.Errorf("%d rows", n)
	}
}

func TestNamesOfAnEventTakeNoMemory(t *testing.T) {
	_, h := host(t, map[string]string{"etc/passwd": "root:x:0:0:::\n", "etc/group": "root:x:0:\n"})
	names := NewNames(h)
	defer names.Close()
	age(t, names)
	e := event.Event{Proc: event.Process{UID: event.Known(0), GID: event.Known(0), LoginUID: event.Known(5)}}
	if n := testing.AllocsPerRun(100, func() { names.Fill(&e) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzNames(f *testing.F) {
	f.Add([]byte("root:x:0:0:root:/root:/bin/bash\n+::::\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		table := parseNames(text)
		for _, row := range table.rows {
			if name := table.find(event.Known(uint64(row.id))); len(name) == 0 || len(name) > longestName {
				t.Fatalf("%d has name %q", row.id, name)
			}
		}
	})
}

func BenchmarkNames(b *testing.B) {
	_, h := host(b, map[string]string{"etc/passwd": "root:x:0:0:::\n", "etc/group": "root:x:0:\n"})
	names := NewNames(h)
	defer names.Close()
	e := event.Event{Proc: event.Process{UID: event.Known(0), GID: event.Known(0)}, File: event.File{UID: event.Known(0)}}
	for b.Loop() {
		names.Fill(&e)
	}
}
