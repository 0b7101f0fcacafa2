// SPDX-License-Identifier: Apache-2.0

// Package terminal gives tests a terminal for programs that read single keys.
package terminal

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Open returns both ends of a new one, see pts(4): what is written to master is typed,
// and slave is for the program.
func Open() (master, slave *os.File, err error) {
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

// TakesKeys says whether the program has asked for single keys, and no longer for lines.
func TakesKeys(master *os.File) (bool, error) {
	mode, err := unix.IoctlGetTermios(int(master.Fd()), unix.TCGETS)
	return err == nil && mode.Lflag&unix.ICANON == 0, err
}
