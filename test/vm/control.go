// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// line is a socket that QEMU connects to, read until the machine is gone.
type line struct {
	l  net.Listener
	wg sync.WaitGroup
}

// listen serves the first connection to the socket at path with f.
func listen(path string, f func(net.Conn)) (*line, error) {
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	s := &line{l: l}
	s.wg.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			return // closed: QEMU never came
		}
		defer conn.Close()
		f(conn)
	})
	return s, nil
}

// close waits for the reader. Call it when QEMU has ended, which closes the
// other end.
func (s *line) close() {
	s.l.Close()
	s.wg.Wait()
}

// answers is what guest/main says on the second serial port. A member that was
// not said is negative.
type answers struct {
	ready time.Duration // uptime when run.sh started
	exit  int
	saved int
}

// read takes lines until the guest is gone. Others than those of the protocol
// are ignored: the kernel or a payload may write to the port as well.
func (a *answers) read(r io.Reader) {
	*a = answers{ready: -1, exit: -1, saved: -1}
	for s := bufio.NewScanner(r); s.Scan(); {
		word, value, _ := strings.Cut(strings.TrimSpace(s.Text()), " ")
		switch word {
		case "ready":
			if d, err := time.ParseDuration(value + "s"); err == nil {
				a.ready = d
			}
		case "exit":
			setCode(&a.exit, value)
		case "saved":
			setCode(&a.saved, value)
		}
	}
}

func setCode(code *int, value string) {
	if n, err := strconv.ParseUint(value, 10, 8); err == nil {
		*code = int(n)
	}
}

// watchShutdown speaks QEMU's machine protocol (QMP) on conn and returns why
// the machine stopped: "guest-shutdown" is a power off, "guest-reset" a reboot,
// which is what a panicking kernel does here. Empty: it did not say.
func watchShutdown(conn net.Conn) (reason string) {
	// The greeting needs no reading first; the command opens the event stream.
	fmt.Fprintln(conn, `{"execute":"qmp_capabilities"}`)
	for d := json.NewDecoder(conn); ; {
		var m struct {
			Event string
			Data  struct{ Reason string }
		}
		if d.Decode(&m) != nil {
			return reason
		}
		if m.Event == "SHUTDOWN" {
			reason = m.Data.Reason
		}
	}
}
