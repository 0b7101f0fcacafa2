// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func TestTheGuestsAnswersAreReadAmongNoise(t *testing.T) {
	var a answers
	a.read(strings.NewReader("ready 3.25\r\nexit\nexit 256\nexit -1\nexit x\n\x00\xff\nexit 0\nexit 3\nsaved 0\n"))
	if want := (answers{3250 * time.Millisecond, 3, 0}); a != want {
		t.Errorf("%+v, want %+v", a, want)
	}
	a.read(strings.NewReader(""))
	if want := (answers{-1, -1, -1}); a != want {
		t.Errorf("silence: %+v, want %+v", a, want)
	}
}

func TestQEMUSaysWhyTheMachineStopped(t *testing.T) {
	for stream, want := range map[string]string{
		`{"QMP":{}}{"return":{}}{"event":"RESUME"}{"event":"SHUTDOWN","data":{"guest":true,"reason":"guest-reset"}}`: "guest-reset",
		`{"QMP":{}}{"return":{}}`: "",
		``:                        "",
	} {
		us, qemu := net.Pipe()
		go func() {
			io.ReadAtLeast(qemu, make([]byte, 64), 1)
			io.WriteString(qemu, stream)
			qemu.Close()
		}()
		if got := watchShutdown(us); got != want {
			t.Errorf("%s: %q, want %q", stream, got, want)
		}
	}
}
