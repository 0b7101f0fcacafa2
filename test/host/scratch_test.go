// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"os"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

func TestAScratchSystemKeepsTheMachineOutOfReach(t *testing.T) {
	s := NewScratch(t)
	s.Sh(t, "mkdir /etc && echo mine >/etc/fim-scratch")
	if _, err := os.Stat(s.Path("/etc/fim-scratch")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat("/etc/fim-scratch"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the machine's own /etc was written: %v", err)
	}
	for _, dir := range []string{"/real/etc", Repo} {
		s.Sh(t, "! touch "+dir+"/fim-scratch 2>/dev/null")
	}
	s.Sh(t, "test $(readlink /proc/1/ns/pid) = $(readlink /proc/self/ns/pid)")
}
