// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
)

// locks are the variables of the kernel by which the programs notice that renames
// or mounts overtook their walk.
var locks = []string{"rename_lock", "mount_lock"}

// symbolTable is what is looked up among the kernel's symbols.
type symbolTable struct {
	// address of each variable
	address map[string]uint64
	// parted are the functions of which the compiler moved the rare part into one of
	// its own and the rest into the callers (-fpartial-inlining): what hangs on such
	// a function does not see all calls.
	parted map[string]bool
}

// kernelSymbols returns where the kernel has the variables of these names, and which
// functions are taken apart.
func kernelSymbols(names []string) (*symbolTable, error) {
	f, err := os.Open("/proc/kallsyms")
	if err != nil {
		return nil, fmt.Errorf("%w: look up the kernel's %s: %w: it needs CONFIG_KALLSYMS_ALL; backend fanotify works without it", ErrRefused, names[0], err)
	}
	defer f.Close()
	found, err := symbols(f, names)
	if err != nil {
		return nil, fmt.Errorf("%w: look up the kernel's variables in /proc/kallsyms: %w; backend fanotify works without it", ErrRefused, err)
	}
	return found, nil
}

var (
	errNoSymbol = errors.New("no such symbol: the kernel needs CONFIG_KALLSYMS_ALL")
	errHidden   = errors.New("the kernel hides addresses: run as root or with CAP_SYSLOG, and with kernel.kptr_restrict below 2")
)

// symbols finds variables of the kernel itself in a list like /proc/kallsyms, lines
// of address, type and name; those of modules have "[module]" behind. It stops at
// the last of them: the list is long. It is in the order of addresses, in which the
// code comes before what it reads and writes.
func symbols(list io.Reader, names []string) (*symbolTable, error) {
	found, parted := make(map[string]uint64, len(names)), map[string]bool{}
	lines := bufio.NewScanner(bufio.NewReaderSize(list, 1<<16))
	for len(found) < len(names) && lines.Scan() {
		line := lines.Bytes()
		name := line[bytes.LastIndexByte(line, ' ')+1:]
		if function, _, is := bytes.Cut(name, []byte(".part.")); is {
			parted[string(function)] = true
		}
		if !slices.Contains(names, string(name)) {
			continue
		}
		digits, _, _ := bytes.Cut(line, []byte(" "))
		address, err := strconv.ParseUint(string(digits), 16, 64)
		if err == nil && address == 0 {
			err = errHidden
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		found[string(name)] = address
	}
	for _, name := range names {
		if found[name] == 0 {
			return nil, errors.Join(lines.Err(), fmt.Errorf("%s: %w", name, errNoSymbol))
		}
	}
	return &symbolTable{found, parted}, nil
}
