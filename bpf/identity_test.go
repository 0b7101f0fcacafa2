// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"io/fs"
	"syscall"
	"testing"

	"github.com/falco-fim/fim/event"
)

// checkIdentity compares an event with what stat(2) shows.
func checkIdentity(t *testing.T, e *event.Event, info fs.FileInfo) {
	t.Helper()
	st := info.Sys().(*syscall.Stat_t)
	if e.File.Inode != st.Ino || e.File.Dev != st.Dev {
		t.Errorf("inode %d on device %#x, stat shows %d on %#x", e.File.Inode, e.File.Dev, st.Ino, st.Dev)
	}
	if want := event.TypeOf(st.Mode); e.File.Type != want {
		t.Errorf("type %v, stat shows %v", e.File.Type, want)
	}
}
