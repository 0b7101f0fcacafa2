// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// fact is one line of `fim check` about this host.
type fact struct{ name, value string }

// hostFacts are what decides which backend can work.
func hostFacts() []fact {
	return []fact{
		{"kernel", kernelRelease()},
		{"BTF", present("/sys/kernel/btf/vmlinux")},
		{"security modules", firstLine("/sys/kernel/security/lsm")},
		{"fanotify", strings.Join(fanotifyFeatures(), ", ")},
		{"capabilities", capabilities("/proc/self/status")},
	}
}

func kernelRelease() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "unknown: " + err.Error()
	}
	return unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Machine[:])
}

func present(path string) string {
	if _, err := os.Stat(path); err != nil {
		return "absent: " + err.Error()
	}
	return "present (" + path + ")"
}

func firstLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return "unknown: " + err.Error()
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

// fanotifyFeatures tries what fanotify_init(2) reports, oldest first.
func fanotifyFeatures() []string {
	var features []string
	for _, f := range []struct {
		name  string
		flags uint
	}{
		{"file identity (5.1)", unix.FAN_REPORT_FID},
		{"names (5.9)", unix.FAN_REPORT_DFID_NAME},
		{"process descriptors (5.15)", unix.FAN_REPORT_FID | unix.FAN_REPORT_PIDFD},
		{"names and target (5.17)", unix.FAN_REPORT_DFID_NAME_TARGET},
	} {
		fd, err := unix.FanotifyInit(f.flags|unix.FAN_CLASS_NOTIF|unix.FAN_CLOEXEC, unix.O_RDONLY)
		if err != nil {
			return append(features, fmt.Sprintf("no %s: %v", f.name, err))
		}
		unix.Close(fd)
		features = append(features, f.name)
	}
	return features
}

// wanted are the capabilities that the backends use, and for what.
var wanted = []struct {
	bit       uint
	name, why string
}{
	{unix.CAP_SYS_ADMIN, "CAP_SYS_ADMIN", "filesystem marks"},
	{unix.CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH", "file handles"},
	{unix.CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "who did it"},
}

// capabilities names what is missing of the wanted ones in a file like
// /proc/self/status, see proc(5).
func capabilities(status string) string {
	effective, err := effectiveCaps(status)
	if err != nil {
		return "unknown: " + err.Error()
	}
	var missing []string
	for _, c := range wanted {
		if effective>>c.bit&1 == 0 {
			missing = append(missing, c.name+" ("+c.why+")")
		}
	}
	if missing == nil {
		return "all that are needed"
	}
	return "missing " + strings.Join(missing, ", ")
}

func effectiveCaps(status string) (uint64, error) {
	text, err := os.ReadFile(status)
	if err != nil {
		return 0, err
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), "CapEff:"); ok {
			return strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		}
	}
	return 0, fmt.Errorf("%s has no line CapEff", status)
}
