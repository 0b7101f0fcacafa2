// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// deafPatience is how long a fim that never reports anything is waited for; it
// decides nothing but how long the proof takes.
const deafPatience = 100 * time.Millisecond

// detachedPatience is as long as an emulated machine needs to report an event
// that does come.
const detachedPatience = 5 * time.Second

// callPrograms lets the kernel call what is attached to its functions, or not:
// with -detach, and else it does nothing. See kernel.ftrace_enabled in
// https://docs.kernel.org/admin-guide/sysctl/kernel.html; BPF trampolines and
// probes at the head of a function hang on it, for the whole machine.
func callPrograms(call bool) error {
	if !*detach {
		return nil
	}
	value := "0"
	if call {
		value = "1"
	}
	return os.WriteFile("/proc/sys/kernel/ftrace_enabled", []byte(value), 0)
}

var watches = regexp.MustCompile(`(?m)^watch `)

// A script that passes on a backend that delivers nothing would prove nothing.
func TestEveryScriptThatWatchesFailsOnADeafBackend(t *testing.T) {
	scripts, err := Scripts()
	if err != nil {
		t.Fatal(err)
	}
	var watching []Script
	for _, s := range scripts {
		if watches.Match(s.Text) {
			watching = append(watching, s)
		}
	}
	files, err := Write(t.TempDir(), watching)
	if err != nil {
		t.Fatal(err)
	}
	backend, _, _ := strings.Cut(*backendFlag, ",")
	s := setting{fim: programs.deaf, backend: backend, fs: wanted(t, "tmpfs"), patience: deafPatience, table: cannotTable(t)}
	if *detach {
		s.fim, s.patience = programs.fim, detachedPatience
		t.Cleanup(func() { callPrograms(true) })
	}
	testscript.RunT(&mustFail{T: t}, s.params(files))
}

// mustFail is a test that fails when the script passes.
type mustFail struct {
	*testing.T
	failed, skipped bool
	log             bytes.Buffer
}

func (m *mustFail) Run(name string, f func(testscript.T)) {
	m.T.Run(name, func(t *testing.T) {
		t.Parallel()
		script := &mustFail{T: t}
		ended := make(chan struct{})
		go func() { // for Goexit to end
			defer close(ended)
			f(script)
		}()
		<-ended
		switch {
		case script.skipped: // told by TestScenarios
		case !script.failed:
			t.Errorf("passes on a backend that delivers nothing:\n%s", &script.log)
		case !strings.Contains(script.log.String(), "was not reported"):
			t.Errorf("fails, but not for want of events:\n%s", &script.log)
		}
	})
}

// Parallel does nothing: Run has done it.
func (m *mustFail) Parallel() {}

func (m *mustFail) Verbose() bool { return false }

func (m *mustFail) Log(args ...any) { fmt.Fprintln(&m.log, args...) }

func (m *mustFail) Fatal(args ...any) {
	m.Log(args...)
	m.FailNow()
}

func (m *mustFail) FailNow() {
	m.failed = true
	runtime.Goexit()
}

func (m *mustFail) Skip(...any) {
	m.skipped = true
	runtime.Goexit()
}
