// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/falco-fim/fim/test/terminal"
)

// typed runs a program on a terminal of its own and types KEYS as soon as it
// reads single keys.
func (r *run) typed(ts *testscript.TestScript, words []string) error {
	if len(words) < 2 {
		return errors.New("want: type KEYS PROGRAM ARG...")
	}
	r.actor = 0
	master, slave, err := terminal.Open()
	if err != nil {
		return fmt.Errorf("a terminal: %w", err)
	}
	defer master.Close()
	cmd := r.command(ts, words[1], words[2:])
	cmd.Env = append(cmd.Env, "TERM=vt100")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	err = cmd.Start()
	slave.Close()
	if err != nil {
		return err
	}
	overdue := time.AfterFunc(r.patience, func() { cmd.Process.Kill() })
	defer overdue.Stop()
	shown := make(chan []byte, 1)
	go func() {
		screen, _ := io.ReadAll(master) // EIO when the program has ended
		shown <- screen
	}()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if err := press(master, words[0], ended); err != nil {
		return fmt.Errorf("%w; it showed %q", err, <-shown)
	}
	if err := <-ended; err != nil {
		return fmt.Errorf("%w; it showed %q", err, <-shown)
	}
	return nil
}

// press writes keys when the terminal no longer gathers lines.
func press(master *os.File, keys string, ended chan error) error {
	for {
		ready, err := terminal.TakesKeys(master)
		if err != nil {
			return err
		}
		if ready {
			_, err := master.WriteString(keys)
			return err
		}
		select {
		case err := <-ended:
			return fmt.Errorf("ended before it read a key: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
}
