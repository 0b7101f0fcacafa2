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
		{"capabilities", capabilities("/proc/self/status", "ebpf")},
		{"", capabilities("/proc/self/status", "fanotify")},
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

// wanted are the capabilities that each backend uses, and for what.
var wanted = map[string][]struct {
	bit       uint
	name, why string
}{
	"ebpf": {
		{unix.CAP_BPF, "CAP_BPF", "maps and programs"},
		{unix.CAP_PERFMON, "CAP_PERFMON", "programs that read kernel memory"},
		{unix.CAP_SYSLOG, "CAP_SYSLOG", "addresses of the kernel"},
		{unix.CAP_SYS_RESOURCE, "CAP_SYS_RESOURCE", "the memory limit of kernels before 5.11"},
		{unix.CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH", "mounts below closed directories"},
		{unix.CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "who did it"},
	},
	"fanotify": {
		{unix.CAP_SYS_ADMIN, "CAP_SYS_ADMIN", "filesystem marks"},
		{unix.CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH", "file handles"},
		{unix.CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "who did it"},
	},
}

// capabilities names what is missing for a backend in a file like
// /proc/self/status, see proc(5).
func capabilities(status, backend string) string {
	effective, err := effectiveCaps(status)
	if err != nil {
		return backend + ": unknown: " + err.Error()
	}
	var missing []string
	// CAP_SYS_ADMIN includes the two that were split off it (capabilities(7)).
	if effective>>unix.CAP_SYS_ADMIN&1 == 1 {
		effective |= 1<<unix.CAP_BPF | 1<<unix.CAP_PERFMON
	}
	for _, c := range wanted[backend] {
		if effective>>c.bit&1 == 0 {
			missing = append(missing, c.name+" ("+c.why+")")
		}
	}
	if missing == nil {
		return backend + ": all that are needed"
	}
	return backend + ": missing " + strings.Join(missing, ", ")
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
