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
	"golang.org/x/sys/unix"
)

// typed runs a program on a terminal of its own and types KEYS as soon as it
// reads single keys.
func (r *run) typed(ts *testscript.TestScript, words []string) error {
	if len(words) < 2 {
		return errors.New("want: type KEYS PROGRAM ARG...")
	}
	r.actor = 0
	master, slave, err := terminal()
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
		mode, err := unix.IoctlGetTermios(int(master.Fd()), unix.TCGETS)
		if err != nil {
			return err
		}
		if mode.Lflag&unix.ICANON == 0 {
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

// terminal opens both ends of a new one; see pts(4).
func terminal() (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		return nil, nil, errors.Join(err, master.Close())
	}
	return master, slave, nil
}
