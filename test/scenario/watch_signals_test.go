// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

// signal sends a signal to fim; that it has ended already is no error.
func (w *process) signal(sig os.Signal) error {
	if err := w.cmd.Process.Signal(sig); !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// pause stops fim and returns when the last of its threads has stopped, so that
// everything it reads later has happened before it looks.
func (w *process) pause() error {
	if err := w.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for deadline := time.Now().Add(*patience); ; time.Sleep(time.Millisecond) {
		running, err := w.running()
		if err != nil || running == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d threads of fim do not stop", running)
		}
	}
}

// running counts the threads of fim that are not stopped; see proc_pid_stat(5).
func (w *process) running() (n int, err error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", w.cmd.Process.Pid))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return 0, err
		}
		if !bytes.Contains(text, []byte(") T ")) {
			n++
		}
	}
	return n, err
}

// ended tells whether stop has been here.
func (w *process) ended() bool { return w.cmd.ProcessState != nil }

// stop ends fim the way a service manager does, which is success.
func (w *process) stop() error {
	if w.cmd == nil || w.cmd.Process == nil || w.ended() {
		return nil
	}
	if err := errors.Join(w.signal(syscall.SIGCONT), w.signal(syscall.SIGTERM)); err != nil {
		return err
	}
	overdue := time.AfterFunc(*patience, func() { w.cmd.Process.Kill() })
	defer overdue.Stop()
	for range w.lines { // until stdout ends
	}
	if err := w.cmd.Wait(); err != nil {
		return fmt.Errorf("fim watch, ended by SIGTERM: %w\n%s", err, &w.stderr)
	}
	if lost := losses.FindAllString(w.stderr.String(), -1); lost != nil {
		return fmt.Errorf("fim counted losses, which may be of another script that it watched for: %s", lost)
	}
	return nil
}

// losses are what the kernel side counts and no script provokes: an event of them is told
// later than what they are of, perhaps when the script has ended.
var losses = regexp.MustCompile(`\d+ +ebpf_\w*lost\w*`)

// last ends fim for a script that failed and returns what it said, its counters
// among it.
func (w *process) last() error {
	return errors.Join(w.stop(), errors.New("stderr of fim: "+w.stderr.String()))
}
