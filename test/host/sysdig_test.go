// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/extract"
)

// sysdigFields is what the tests have sysdig print; the star asks for events
// that lack some of them, too.
const sysdigFields = "*%fs.op %fs.host_path %fs.inode %fs.dev"

// row is an event as sysdig prints it with -j, numbers unrounded.
type row map[string]any

func (r row) String() string { return fmt.Sprintf("%v %v", r["fs.op"], r["fs.host_path"]) }

// sysdig runs sysdig to its end and returns what it printed.
func sysdig(t testing.TB, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.Command(Sysdig(t), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	overdue := time.AfterFunc(limit, func() { cmd.Process.Kill() })
	defer overdue.Stop()
	err = cmd.Wait()
	return out.String(), errs.String(), err
}

// plugged is the argument that loads the plugin with a configuration.
func plugged(t testing.TB, config string) string { return Plugin(t) + ":" + config }

func rows(t testing.TB, text string) []row {
	t.Helper()
	var list []row
	for d := decoder(strings.NewReader(text)); ; {
		var r row
		if err := d.Decode(&r); err != nil {
			return list
		}
		delete(r, "evt.num") // which sysdig adds
		list = append(list, r)
	}
}

func decoder(r *strings.Reader) *json.Decoder {
	d := json.NewDecoder(r)
	d.UseNumber()
	return d
}

// watched mounts a filesystem of the test's own, so that tests do not see each
// other, and returns its directory and the configuration that watches it.
func watched(t testing.TB) (dir, config string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount and to watch")
	}
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	text, err := json.Marshal(map[string][]string{"watch": {dir}})
	if err != nil {
		t.Fatal(err)
	}
	return dir, string(text)
}

// liveSysdig is a sysdig that watches live.
type liveSysdig struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

// startSysdig starts cmd and returns when it sees what happens in dir, which it
// does not say by itself: poke is called until something comes of it.
func startSysdig(t testing.TB, cmd *exec.Cmd, poke func()) *liveSysdig {
	t.Helper()
	cmd.Stderr = os.Stderr
	_, stdout := start(t, cmd)
	overdue := time.AfterFunc(limit, func() { cmd.Process.Kill() })
	l := &liveSysdig{cmd: cmd, lines: bufio.NewScanner(stdout)}
	t.Cleanup(func() {
		overdue.Stop()
		syscall.Kill(worker(cmd), syscall.SIGINT)
		for l.lines.Scan() {
		}
		cmd.Wait()
	})
	seen := make(chan struct{})
	go func() {
		l.lines.Scan()
		close(seen)
	}()
	for {
		poke()
		select {
		case <-seen:
			return l
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// until returns the lines up to the first that holds text.
func (l *liveSysdig) until(t testing.TB, text string) []string {
	t.Helper()
	var lines []string
	for l.lines.Scan() {
		lines = append(lines, l.lines.Text())
		if strings.Contains(l.lines.Text(), text) {
			return lines
		}
	}
	t.Fatalf("sysdig ended before %s: %q", text, lines)
	return nil
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

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
	overdue := time.AfterFunc(limit, func() { cmd.Process.Kill() })
	defer overdue.Stop()
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

// TestWhatIsWrongIsAClearErrorAndNoCrash, in either host.
func TestWhatIsWrongIsAClearErrorAndNoCrash(t *testing.T) {
	for name, c := range map[string]struct{ config, open, want string }{
		"a relative pattern":      {`{"watch":["etc"]}`, "", `"etc"`},
		"an unknown key":          {`{"wacht":["/etc"]}`, "", `wacht`},
		"a wrong type":            {`{"watch":7}`, "", `watch`},
		"an unknown operation":    {`{"events":["creat"]}`, "", `["events"][0]`},
		"no JSON":                 {`{`, "", "json"},
		"a replay that is absent": {"", "file:///nonexistent/events.jsonl", "/nonexistent/events.jsonl"},
		"a source that is none":   {"", "nonsense", "nonsense"},
	} {
		_, stderr, err := sysdig(t, "-H", plugged(t, c.config), "-I", "fim:"+c.open, "-n", "1")
		checkError(t, "sysdig: "+name, stderr, err, c.want)
		_, err = Replay(t, Options{Rules: []Rule{}, Init: c.config, Open: c.open})
		checkError(t, "fim-host: "+name, fmt.Sprint(err), err, c.want)
	}
}

// checkError wants exit code 1 and a message that names what is wrong.
func checkError(t testing.TB, name, message string, err error, want string) {
	t.Helper()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("%s: ended with %v: %s", name, err, message)
	}
	if !strings.Contains(message, want) {
		t.Errorf("%s: does not name %s: %s", name, want, message)
	}
	for _, crash := range []string{"panic", "goroutine", "SIG", "core dumped"} {
		if strings.Contains(message, crash) {
			t.Errorf("%s: crashed: %s", name, message)
		}
	}
}

func TestTheHostRefusesACommandLineThatCannotBeMeant(t *testing.T) {
	for _, args := range [][]string{
		{}, {"fields"}, {"run", "x"}, {"walk", "x", "y"}, {"run", "x", "y", "--max"}, {"run", "x", "y", "--max", "1x"},
		{"run", "x", "y", "--nope", "1"}, {"run", "x", "y", "--open", "a", "--capture", "b"},
	} {
		err := exec.Command(Binary(t), args...).Run()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 2 {
			t.Errorf("%q: %v", args, err)
		}
	}
}
