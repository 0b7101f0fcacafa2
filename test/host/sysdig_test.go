// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/extract"
)

func TestSysdigListsThePluginAndItsFields(t *testing.T) {
	out, _, err := sysdig(t, "-H", Plugin(t), "-Il")
	if err != nil || !strings.Contains(out, "Name: fim\n") || !strings.Contains(out, "source='fs'") {
		t.Errorf("%v: %s", err, out)
	}
	out, _, err = sysdig(t, "-H", Plugin(t), "--list")
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range extract.Fields() {
		if !strings.Contains(out, "\n"+field.Name) {
			t.Errorf("%s is not listed", field.Name)
		}
	}
}

func TestALiveEventBearsThePathInodeAndDeviceThatStatShows(t *testing.T) {
	dir, config := watched(t)
	cmd := exec.Command(Sysdig(t), "-H", plugged(t, config), "-I", "fim:", "-j", "-p", sysdigFields)
	l := startSysdig(t, cmd, func() { writeFile(t, filepath.Join(dir, "poke"), "x") })
	path := filepath.Join(dir, "file")
	writeFile(t, path, "x\n")
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "end"), "")

	var got []row
	for _, r := range rows(t, strings.Join(l.until(t, "/end"), "\n")) {
		if r["fs.host_path"] == path {
			got = append(got, r)
		}
	}
	if len(got) != 3 {
		t.Fatalf("got %v", got)
	}
	for i, op := range []string{"create", "modify", "close"} {
		want := row{"fs.op": op, "fs.host_path": path,
			"fs.inode": json.Number(fmt.Sprint(st.Ino)), "fs.dev": json.Number(fmt.Sprint(st.Dev))}
		if !maps.Equal(got[i], want) {
			t.Errorf("got %#v, want %#v", got[i], want)
		}
	}
}

func TestAFileNameCannotForgeALineOfOutput(t *testing.T) {
	dir, config := watched(t)
	cmd := exec.Command(Sysdig(t), "-H", plugged(t, config), "-I", "fim:", "-p", "%fs.op %fs.host_path")
	l := startSysdig(t, cmd, func() { writeFile(t, filepath.Join(dir, "poke"), "x") })
	writeFile(t, filepath.Join(dir, "a\nunlink forged\x1b[2J"), "")
	writeFile(t, filepath.Join(dir, "end"), "")
	lines := l.until(t, "create "+dir+"/end")
	want := "create " + dir + `/a\x0aunlink forged\x1b[2J`
	if found := strings.Join(lines, "\n"); !strings.Contains(found, want) {
		t.Errorf("got %q, want %q among it", found, want)
	}
	for _, line := range lines {
		if strings.HasPrefix(line, "unlink") {
			t.Errorf("forged: %q", line)
		}
	}
}

func TestACaptureReadsBackAsItWasSeen(t *testing.T) {
	dir, config := watched(t)
	capture := filepath.Join(t.TempDir(), "fim.scap")
	// sysdig prints nothing while it writes: it ends after some events instead.
	cmd := exec.Command(Sysdig(t), "-H", plugged(t, config), "-I", "fim:", "-n", "40", "-w", capture)
	done := make(chan error, 1)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer expire(cmd)()
	go func() { done <- cmd.Wait() }()
	path := filepath.Join(dir, "file")
	for written := false; !written; {
		writeFile(t, path, "x")
		os.Remove(path)
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			written = true
		case <-time.After(10 * time.Millisecond):
		}
	}
	out, stderr, err := sysdig(t, "-H", Plugin(t), "-r", capture, "-j", "-p", sysdigFields)
	if err != nil {
		t.Fatalf("%v: %s", err, stderr)
	}
	got := rows(t, out)
	if len(got) != 40 {
		t.Errorf("%d events of 40", len(got))
	}
	matches, err := Replay(t, Options{
		Rules:   []Rule{{Name: "all", Condition: "fs.op exists", Output: "%fs.op %fs.host_path"}},
		Capture: capture,
	})
	if err != nil || len(matches) != len(got) {
		t.Fatalf("fim-host read %d events, sysdig %d: %v", len(matches), len(got), err)
	}
	for i, r := range got {
		if r["fs.host_path"] != path || r["fs.inode"] == nil || r["fs.dev"] == nil || matches[i].Text != r.String() {
			t.Errorf("event %d: sysdig %v, fim-host %s", i, r, matches[i].Text)
		}
	}
}

func TestAReplayGivesTheFieldsOfItsEvents(t *testing.T) {
	events := []*event.Event{
		{Op: event.OpCreate, Time: 1, File: event.File{HostPath: []byte("/etc/Ольга \"quoted\""), Inode: 7, Dev: 1 << 40}},
		{Op: event.OpLost, Time: 2, Lost: event.Lost{Count: event.Known(3)}},
		{Op: event.OpUnlink, Time: 3, File: event.File{HostPath: []byte("/etc/x"), Inode: 1<<64 - 1, Dev: 9}},
	}
	want := []row{
		{"fs.op": "create", "fs.host_path": "/etc/Ольга \"quoted\"", "fs.inode": json.Number("7"), "fs.dev": json.Number("1099511627776")},
		{"fs.op": "lost", "fs.host_path": nil, "fs.inode": nil, "fs.dev": nil},
		{"fs.op": "unlink", "fs.host_path": "/etc/x", "fs.inode": json.Number("18446744073709551615"), "fs.dev": json.Number("9")},
	}
	var lines []byte
	for _, e := range events {
		lines = append(event.AppendText(lines, e), '\n')
	}
	file := filepath.Join(t.TempDir(), "events.jsonl")
	writeFile(t, file, string(lines))

	out, stderr, err := sysdig(t, "-H", Plugin(t), "-I", "fim:file://"+file, "-j", "-p", sysdigFields)
	if err != nil {
		t.Fatalf("%v: %s", err, stderr)
	}
	got := rows(t, out)
	if len(got) != len(want) {
		t.Fatalf("got %v", got)
	}
	for i := range want {
		if !maps.Equal(got[i], want[i]) {
			t.Errorf("got %#v, want %#v", got[i], want[i])
		}
	}
}

// TestTheShippedConfigurationWorks starts sysdig with deploy/falco.yaml, the
// path of the library apart, in a system of its own.
func TestTheShippedConfigurationWorks(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(Repo, "deploy", "falco.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte("library_path: libfim.so"), []byte("library_path: "+Plugin(t)), 1)
	s := NewScratch(t)
	writeFile(t, s.Path("/tmp/falco.yaml"), string(text))
	s.Sh(t, "mkdir -p /etc/cron.d /home/user")
	cmd := s.Command(Sysdig(t), "--plugin-config-file", "/tmp/falco.yaml", "-I", "fim:", "-p", "%fs.op %fs.host_path %fs.watch")
	l := startSysdig(t, cmd, func() { s.Sh(t, "echo x >/etc/poke") })
	s.Sh(t, "echo x >/etc/cron.d/job; mkdir -p /home/user/.ssh; echo x >/home/user/.ssh/authorized_keys; echo x >/home/user/not")
	s.Sh(t, "mkdir /etc/end")
	found := strings.Join(l.until(t, "mkdir /etc/end"), "\n")
	for _, want := range []string{"close /etc/cron.d/job /etc", "close /home/user/.ssh/authorized_keys /home/*/.ssh"} {
		if !strings.Contains(found, want) {
			t.Errorf("no %q in %s", want, found)
		}
	}
	if strings.Contains(found, "/home/user/not") {
		t.Errorf("not watched, but seen: %s", found)
	}
}
