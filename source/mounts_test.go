// SPDX-License-Identifier: Apache-2.0

package source

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/bpf"
	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/mount"
	"github.com/falco-fim/fim/watch"
)

const rootLine = "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n"

func table(t *testing.T, since, until uint64, lines string) tableAt {
	t.Helper()
	parsed, err := mount.Parse(strings.NewReader(rootLine + lines))
	if err != nil {
		t.Fatal(err)
	}
	return tableAt{Table: parsed, since: since, until: until, shown: make(map[*mount.Mount]bpf.Place)}
}

func TestAnEventIsPlacedByTheMountsOfItsMoment(t *testing.T) {
	const o = "23 20 0:30 / /o rw - tmpfs t rw\n"
	const m, n = "21 20 0:30 / /w/m rw - tmpfs t rw\n", "22 20 0:30 / /w/n rw - tmpfs t rw\n"
	set, err := watch.Compile(watch.Options{Include: patterns([]string{"/w"})})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		before, now string
		at          uint64
		want        string
	}{
		"after the table was read":                      {m, n, 40, "/w/n/f"},
		"while the table before was seen to hold":       {m, n, 15, "/w/m/f"},
		"between the two, which differ":                 {m, n, 25, ""},
		"between the two, which agree":                  {m, m, 25, "/w/m/f"},
		"between the two, on a filesystem that is new":  {"", n, 25, "/w/n/f"},
		"between the two, on a filesystem that is gone": {m, "", 25, ""},
		"between the two, where a bind mount came":      {m, m + n, 25, "/w/m/f /w/n/f"},
		"between the two, where a bind mount went":      {m + n, m, 25, "/w/m/f"},
		"between the two, where the watched one went":   {m + o, o, 25, ""},
		"before the table before":                       {m, n, 5, ""},
		"gone, while the table before was seen to hold": {m, "", 15, "/w/m/f"},
	} {
		fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0) // never says that anything changed
		if err != nil {
			t.Fatal(err)
		}
		ms := &mounts{name: "/dev/null", set: set, fd: fd, before: table(t, 10, 20, c.before), now: table(t, 30, 30, c.now)}
		var got []string
		for _, p := range ms.place(nil, c.at, unix.Mkdev(0, 30), []byte("/f")) {
			got = append(got, string(p.Host))
		}
		if err := ms.close(); err != nil {
			t.Fatal(err)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestOnlyARenameThatTookPlaceMovesMounts(t *testing.T) {
	const line = "21 20 0:30 / /w/d/m rw - tmpfs t rw\n"
	rename := func(old string, kind event.Type) *event.Event {
		return &event.Event{Op: event.OpRename, Boot: 7, File: event.File{Type: kind}, Old: event.Old{HostPath: []byte(old)}}
	}
	refused := rename("/w/d", event.TypeDirectory)
	refused.Failed = true
	for _, c := range []struct {
		event *event.Event
		moved uint64
	}{
		{rename("/w/d", event.TypeDirectory), 7},
		{rename("/w", event.TypeDirectory), 7},
		{rename("/w/e", event.TypeDirectory), 0},
		{rename("/w/d", event.TypeFile), 0},
		{refused, 0},
	} {
		ms := &mounts{now: table(t, 1, 1, line)}
		if ms.follow(c.event); ms.moved != c.moved {
			t.Errorf("%s of %s, refused %v: moved at %d, want %d", c.event.Op, c.event.Old.HostPath, c.event.Failed, ms.moved, c.moved)
		}
	}
}
