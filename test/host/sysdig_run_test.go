// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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
	defer expire(cmd)()
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
	stop := expire(cmd)
	l := &liveSysdig{cmd: cmd, lines: bufio.NewScanner(stdout)}
	t.Cleanup(func() {
		defer stop()
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
