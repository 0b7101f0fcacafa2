// SPDX-License-Identifier: Apache-2.0

package fanotify

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

var (
	// ErrPrivilege says that a capability is missing.
	ErrPrivilege = errors.New("fanotify backend: not permitted")
	// ErrKernel says that the kernel is too old or built without fanotify.
	ErrKernel = errors.New("fanotify backend: not supported by this kernel")
	// ErrNothing says that no filesystem could be marked.
	ErrNothing = errors.New("fanotify backend: no filesystem with watched paths can be watched")

	errHiddenMount = errors.New("no mount of it can be reached from here: each is covered by another or outside of our mount namespace")
	errSameFsid    = errors.New("same filesystem id (a copy of one disk image, with the same UUID), so their events could not be told apart; give one a new UUID")
)

// explainInit explains why fanotify_init(2) failed.
func explainInit(err error) error {
	switch err {
	case unix.EPERM:
		return fmt.Errorf("%w: fanotify_init: %w; run as root, or with CAP_SYS_ADMIN and CAP_DAC_READ_SEARCH in the initial user namespace", ErrPrivilege, err)
	case unix.EINVAL:
		return fmt.Errorf("%w: fanotify_init: %w on Linux %s; FAN_REPORT_TARGET_FID needs Linux 5.17", ErrKernel, err, release())
	case unix.ENOSYS:
		return fmt.Errorf("%w: fanotify_init: %w; it was built without CONFIG_FANOTIFY", ErrKernel, err)
	case unix.EMFILE:
		return fmt.Errorf("fanotify backend: fanotify_init: %w: too many groups of this user or too many open files; raise sysctl fs.fanotify.max_user_groups or the limit of open files", err)
	}
	return fmt.Errorf("fanotify backend: fanotify_init: %w", err)
}

// explainMark explains why a filesystem could not be marked.
func explainMark(err error) error {
	switch err {
	case unix.EPERM:
		return fmt.Errorf("%w: mark filesystem: %w; CAP_SYS_ADMIN is needed", ErrPrivilege, err)
	case unix.EINVAL:
		return fmt.Errorf("%w: mark filesystem: %w on Linux %s; FAN_RENAME needs Linux 5.17", ErrKernel, err, release())
	case unix.EOPNOTSUPP:
		return fmt.Errorf("mark filesystem: %w: this type of filesystem has no lasting file handles; watch the filesystem below it (for overlayfs the upper and lower directories), or use the eBPF backend", err)
	case unix.ENODEV:
		return fmt.Errorf("mark filesystem: %w: it has no filesystem id, so its events could not be told from those of others; use the eBPF backend", err)
	case unix.EXDEV:
		return fmt.Errorf("mark filesystem: %w: only a subvolume is mounted, and marks hold for whole filesystems only; mount the top level too (-o subvolid=5), or use the eBPF backend", err)
	case unix.ENOSPC:
		return fmt.Errorf("mark filesystem: %w: too many marks of this user; raise sysctl fs.fanotify.max_user_marks", err)
	}
	return fmt.Errorf("mark filesystem: %w", err)
}

// explainHandle explains why the handle of a filesystem's own root could not be
// opened.
func explainHandle(err error) error {
	if err == unix.EPERM {
		return fmt.Errorf("%w: open file handle: %w; CAP_DAC_READ_SEARCH is needed in the initial user namespace", ErrPrivilege, err)
	}
	return fmt.Errorf("open file handle: %w: directories of this filesystem could not be found by the handles in its events", err)
}

// release returns the version of the running kernel.
func release() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "of unknown version"
	}
	return unix.ByteSliceToString(u.Release[:])
}

// nothingMarked joins the refusals into the error of Open, which is that of the
// first when a person must first see to that: privileges or the kernel.
func nothingMarked(refused []Refusal) error {
	text := make([]string, 0, len(refused))
	for _, r := range refused {
		if errors.Is(r.Err, ErrPrivilege) || errors.Is(r.Err, ErrKernel) {
			return r.Err
		}
		text = append(text, r.Error())
	}
	if len(text) == 0 {
		text = append(text, "the mount table names none")
	}
	return fmt.Errorf("%w: %s", ErrNothing, strings.Join(text, "; "))
}
