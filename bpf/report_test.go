// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"strings"
	"testing"
)

func TestTheChoiceOfFlavoursIsToldWithItsReasons(t *testing.T) {
	lines := Choice()
	if len(lines) != 2 {
		t.Fatalf("got %q", lines)
	}
	traits := readTraits()
	if lsm := strings.Contains(lines[0], "are lsm programs"); lsm != traits.lsm {
		t.Errorf("%+v is told as %q", traits, lines[0])
	}
	entry := string(traits.choose(&hook{function: "d_move"}, false))
	if !strings.HasPrefix(lines[1], traits.because) || !strings.Contains(lines[1], "other hooks are "+entry+" and ") {
		t.Errorf("%+v is told as %q", traits, lines[1])
	}
}

func TestFilesystemsThatDoNotTellOfWritesAreKnown(t *testing.T) {
	for fstype, tells := range map[string]bool{"ext4": true, "tmpfs": true, "btrfs": false, "overlay": true, "": false} {
		if TellsOfWrites(fstype) != tells {
			t.Errorf("%q: %v", fstype, !tells)
		}
	}
}
