// SPDX-License-Identifier: Apache-2.0

package source

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/bpf"
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
	at := newTableAt(parsed, since)
	at.until = until
	return at
}

func TestAnEventIsPlacedByTheMountsOfItsMoment(t *testing.T) {
	const o = "23 20 0:30 / /o rw - tmpfs t rw\n"
	const q = "24 20 0:30 / /q rw - tmpfs t rw\n" // leads to a watched directory below f
	const m, n = "21 20 0:30 / /w/m rw - tmpfs t rw\n", "22 20 0:30 / /w/n rw - tmpfs t rw\n"
	set, err := watch.Compile(watch.Options{Include: patterns([]string{"/w", "/q/f/d"})})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		before, now string
		at          uint64
		attached    uint64 // of the table now, which was read at 30
		moves       bool
		want        string
	}{
		"after the table was read":                      {m, n, 40, 30, false, "/w/n/f"},
		"while the table before was seen to hold":       {m, n, 15, 30, false, "/w/m/f"},
		"between the two, which differ":                 {m, n, 25, 30, false, ""},
		"between the two, which agree":                  {m, m, 25, 30, false, "/w/m/f"},
		"between the two, on a filesystem that is new":  {"", n, 25, 30, false, "/w/n/f"},
		"between the two, on a filesystem that is gone": {m, "", 25, 30, false, ""},
		"between the two, where a bind mount came":      {m, m + n, 25, 30, false, "/w/m/f /w/n/f"},
		"between the two, where a bind mount went":      {m + n, m, 25, 30, false, "/w/m/f"},
		"between the two, where the watched one went":   {m + o, o, 25, 30, false, ""},
		"of a file, where the watched one went":         {m + q, q, 25, 30, false, ""},
		"of a directory that moves, and leads":          {m + q, q, 25, 30, true, "/q/f"},
		"of a directory that moves, and does not lead":  {m + o, o, 25, 30, true, ""},
		"before the table before":                       {m, n, 5, 30, false, ""},
		"gone, while the table before was seen to hold": {m, "", 15, 30, false, "/w/m/f"},
		"when the last mount had come":                  {m, n, 25, 25, false, "/w/n/f"},
		"before the last mount came":                    {m, n, 24, 25, false, ""},
		"when all had come, and the watched one went":   {m + o, o, 25, 25, false, ""},
		"all had come, while the table before held":     {m, n, 15, 15, false, "/w/m/f"},
	} {
		fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0) // never says that anything changed
		if err != nil {
			t.Fatal(err)
		}
		ms := &mounts{name: "/dev/null", set: set, fd: fd, moves: func() bpf.Moves { return bpf.Moves{} }, before: table(t, 10, 20, c.before), now: table(t, 30, 30, c.now)}
		ms.now.attached = c.attached
		var got []string
		for _, p := range ms.place(nil, c.at, unix.Mkdev(0, 30), []byte("/f"), c.moves) {
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
