// SPDX-License-Identifier: Apache-2.0

package source

import (
	"slices"
	"strings"
	"testing"

	"github.com/falco-fim/fim/bpf"
	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/mount"
	"github.com/falco-fim/fim/watch"
)

func TestAHookIsToldByItsFunctionAndTheKindOfItsPrograms(t *testing.T) {
	for _, row := range []struct{ function, program, name, kind string }{
		{"d_move", "fentry_d_move", "d_move", "fentry"},
		{"d_move", "fexit_d_move", "d_move (return)", "fexit"},
		{"d_move", "kretprobe_d_move", "d_move (return)", "kretprobe"},
		{"vfs_mkdir", "kretprobe_vfs_mkdir + kprobe_vfs_mkdir", "vfs_mkdir", "kprobe + kretprobe"},
		{"security_file_open", "lsm_security_file_open", "security_file_open", "lsm"},
		{"kiocb_modified", "", "kiocb_modified", ""},
	} {
		h := bpf.Hook{Function: row.function, Program: row.program}
		if name, kind := hookName(h), programs(h); name != row.name || kind != row.kind {
			t.Errorf("%s, %s: got %q, %q", row.function, row.program, name, kind)
		}
	}
}

func TestWhatAHookIsNeededForIsNamed(t *testing.T) {
	for want, ops := range map[string][]event.Op{
		"":              nil,
		"mkdir":         {event.OpMkdir},
		"unlink, rmdir": {event.OpUnlink, event.OpRmdir},
		every:           event.Ops(),
	} {
		if got := strings.Join(operationNames(ops), ", "); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A filesystem counts when a pattern leads into it now, or when its mountpoint
// lies where one may match.
func TestTheMountsThatPatternsLeadIntoAreWatched(t *testing.T) {
	table, err := mount.Parse(strings.NewReader(`1 0 8:1 / / rw - ext4 /dev/sda1 rw
2 1 0:20 / /home rw - xfs /dev/sdb1 rw
3 1 0:21 / /srv rw - btrfs /dev/sdc1 rw
4 3 0:22 / /srv/app/cache rw - tmpfs tmpfs rw
`))
	if err != nil {
		t.Fatal(err)
	}
	for want, globs := range map[string][]string{
		"/":                           {"/etc"},
		"/home":                       {"/home/*/.ssh"},
		"/srv /srv/app/cache":         {"/srv/app"},
		"/ /home":                     {"/etc", "/home/ann"},
		"/ /home /srv /srv/app/cache": {"/**/cache"},
	} {
		set, err := watch.Compile(watch.Options{Include: patterns(globs)})
		if err != nil {
			t.Fatal(err)
		}
		var points []string
		for _, m := range watched(set, table) {
			points = append(points, m.Point)
		}
		if got := strings.Join(points, " "); got != want {
			t.Errorf("%q: got %s, want %s", globs, got, want)
		}
	}
}

func TestThePathOfAnEventHasNoLinksOnTheWay(t *testing.T) {
	root := host(t, "/usr/bin", "/bin -> usr/bin", "/usr/bin/sh -> dash", "/a -> /b", "/b -> /bin")
	var got []string
	for _, name := range []string{"/usr/bin/sh", "/bin/sh", "/bin", "/a/sh", "/none/x", "/"} {
		got = append(got, canonical(root, name))
	}
	if want := []string{"/usr/bin/sh", "/usr/bin/sh", "/bin", "/usr/bin/sh", "/none/x", "/"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
