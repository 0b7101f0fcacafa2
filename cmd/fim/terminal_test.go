// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// pseudoTerminal returns both ends of a terminal of that width.
func pseudoTerminal(t *testing.T, columns uint16) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal("unlock the terminal: ", err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal("number of the terminal: ", err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// onTerminal returns what a replay of a recording prints on a terminal.
func onTerminal(t *testing.T, columns uint16, env string) string {
	t.Helper()
	master, slave := pseudoTerminal(t, columns)
	cmd := exec.Command(program, "replay", "../../event/testdata/rename.jsonl")
	cmd.Env = append(os.Environ(), "TZ=UTC", env)
	cmd.Stdout = slave
	err := cmd.Run()
	slave.Close()
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096) // what was printed fits the terminal's buffer
	n, err := master.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func TestATerminalGetsATableInColoursUnlessItWantsNone(t *testing.T) {
	const colour = "\x1b[36mrename"
	for env, colours := range map[string]bool{"NO_COLOR=": true, "NO_COLOR=1": false} {
		got := onTerminal(t, 100, env)
		if !strings.Contains(got, "HOST PATH") || !strings.Contains(got, "/tmp/démo -> /home/Ольга/.ssh/config") {
			t.Errorf("%s: not a table:\n%s", env, got)
		}
		if strings.Contains(got, colour) != colours || strings.Contains(got, "\x1b") != colours {
			t.Errorf("%s: colours %t wanted in %q", env, colours, got)
		}
	}
}

func TestATableFollowsTheWidthOfItsTerminal(t *testing.T) {
	narrow, wide := onTerminal(t, 80, "NO_COLOR=1"), onTerminal(t, 200, "NO_COLOR=1")
	if head := func(s string) int { return strings.Index(s, "INODE") }; head(narrow) >= head(wide) {
		t.Errorf("narrow:\n%s\nwide:\n%s", narrow, wide)
	}
}
