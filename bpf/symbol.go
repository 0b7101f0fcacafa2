// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
)

// renameLock is the address of the kernel's rename_lock, by which the programs
// notice that a rename overtook their walk.
func renameLock() (uint64, error) {
	const name = "rename_lock"
	f, err := os.Open("/proc/kallsyms")
	if err != nil {
		return 0, fmt.Errorf("%w: look up the kernel's %s: %w: it needs CONFIG_KALLSYMS_ALL; backend fanotify works without it", ErrRefused, name, err)
	}
	defer f.Close()
	address, err := symbol(f, name)
	if err != nil {
		return 0, fmt.Errorf("%w: look up the kernel's %s in /proc/kallsyms: %w; backend fanotify works without it", ErrRefused, name, err)
	}
	return address, nil
}

var (
	errNoSymbol = errors.New("no such symbol: the kernel needs CONFIG_KALLSYMS_ALL")
	errHidden   = errors.New("the kernel hides addresses: run as root or with CAP_SYSLOG, and with kernel.kptr_restrict below 2")
)

// symbol finds a variable of the kernel itself in a list like /proc/kallsyms,
// lines of address, type and name; those of modules have "[module]" behind.
func symbol(list io.Reader, name string) (uint64, error) {
	lines := bufio.NewScanner(bufio.NewReaderSize(list, 1<<16))
	end := []byte(" " + name)
	for lines.Scan() {
		if !bytes.HasSuffix(lines.Bytes(), end) {
			continue
		}
		digits, _, _ := bytes.Cut(lines.Bytes(), []byte(" "))
		address, err := strconv.ParseUint(string(digits), 16, 64)
		if err == nil && address == 0 {
			err = errHidden
		}
		return address, err
	}
	return 0, errors.Join(lines.Err(), errNoSymbol)
}
