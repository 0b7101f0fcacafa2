// SPDX-License-Identifier: Apache-2.0

package source

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

// mounted makes a root as a container has it: files, and where proc is set a
// procfs, which is that of this machine.
func mounted(t *testing.T, files map[string]string, proc bool) string {
	t.Helper()
	root := t.TempDir()
	for path, text := range files {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !proc {
		return root
	}
	at := filepath.Join(root, "proc")
	if err := os.Mkdir(at, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("proc", at, "proc", 0, ""); err != nil {
		t.Skipf("SKIPPED: cannot mount a procfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(at, 0); err != nil {
			t.Error(err)
		}
	})
	return root
}

func TestARootWithoutTheHostsProcessesIsRefusedWithWhatToMount(t *testing.T) {
	for what, root := range map[string]string{
		"nothing there":   mounted(t, nil, false),
		"an empty folder": mounted(t, map[string]string{"proc/1/mountinfo": ""}, false),
	} {
		c := Default()
		c.HostRoot, c.Watch = root, []string{"/w"}
		for how, open := range map[string]func() error{
			"open":    func() error { _, err := Open(c, ""); return err },
			"check":   func() error { _, err := Probe(c); return err },
			"explain": func() error { _, err := Explain(c, "/w"); return err },
		} {
			err := open()
			if err == nil {
				t.Fatalf("%s, %s: no error", what, how)
			}
			for _, want := range []string{"host_root " + root, root + "/proc: ", "mount the host's /proc there", "-v /proc:" + root + "/proc:ro"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%s, %s: %q does not say %q", what, how, err, want)
				}
			}
		}
	}
	root := filepath.Join(t.TempDir(), "gone")
	c := Default()
	c.HostRoot = root
	if _, err := Open(c, ""); err == nil || !strings.Contains(err.Error(), root) {
		t.Errorf("a root that is not there: %v", err)
	}
}

func TestWhatElseIsNotMountedIsWarnedOf(t *testing.T) {
	c, lines := quiet(Exit)
	c.HostRoot = mounted(t, map[string]string{"etc/passwd": "", "run/x": ""}, false)
	c.warnHost()
	for part, warned := range map[string]bool{"/etc/passwd:": false, "/etc/group:": true, "/run:": false, "/var/log:": true} {
		if strings.Contains(lines.String(), c.HostRoot+part) != warned {
			t.Errorf("%s: warned: %v\n%s", part, !warned, lines.String())
		}
	}
	lines.Reset()
	c.HostRoot = "/"
	if c.warnHost(); lines.Len() > 0 {
		t.Errorf("of our own root: %s", lines.String())
	}
}

// A stream names what its backend tells by number, with the files of the host.
func TestAnEventIsNamedWithTheFilesOfTheHost(t *testing.T) {
	const id = "3f4b8f2d9f6a1c0e5d7b8a9c0d1e2f3a4b5c6d7e8f901a2b3c4d5e6f70819203"
	root := mounted(t, map[string]string{
		"etc/passwd": "admin:x:0:0:::\nolga:x:1000:1000:::\n", "etc/group": "wheel:x:0:\n",
		"var/lib/docker/containers/" + id + "/config.v2.json": `{"ID":"` + id + `","Name":"/web","Config":{"Image":"nginx"}}`,
	}, true)
	withBackends(t, &scripted{steps: []any{
		&event.Event{Op: event.OpModify, File: event.File{UID: event.Known(1000), GID: event.Known(0)}, Proc: event.Process{
			UID: event.Known(0), GID: event.Known(0), LoginUID: event.Known(1000), Cgroup: []byte("/docker/" + id),
		}},
		&event.Event{Op: event.OpModify, Proc: event.Process{UID: event.Known(7), Cgroup: []byte("/system.slice")}},
	}})
	c, _ := quiet(Exit)
	c.HostRoot = root
	s := mustOpen(t, c)
	defer s.Close()
	var e event.Event
	if err := s.Next(&e, time.Now()); err != nil {
		t.Fatal(err)
	}
	for what, is := range map[string][2]string{
		"user": {string(e.Proc.User), "admin"}, "login": {string(e.Proc.Login), "olga"}, "group": {string(e.Proc.Group), "wheel"},
		"owner": {string(e.File.Owner), "olga"}, "group of the file": {string(e.File.Group), "wheel"},
		"container": {string(e.Container.ID), id}, "its name": {string(e.Container.Name), "web"}, "its image": {string(e.Container.Image), "nginx"},
	} {
		if is[0] != is[1] {
			t.Errorf("%s: got %q, want %q", what, is[0], is[1])
		}
	}
	if err := s.Next(&e, time.Now()); err != nil || e.Proc.User != nil || e.Container.ID != nil {
		t.Errorf("of another: got %+v, %v", e, err)
	}
}
