// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// watcher is a running "fim watch".
type watcher struct {
	cmd *exec.Cmd
	// marker is a watched directory that only sync uses.
	marker   string
	marks    int
	patience time.Duration
	lines    chan []byte // of stdout, closed at its end
	stderr   errorLines

	// mu guards got, and keeps two from waiting for their marks at once.
	mu  sync.Mutex
	got []Record // since the last take
}

// errorLines is what fim says on standard error.
type errorLines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (e *errorLines) add(line string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	fmt.Fprintln(&e.text, line)
}

func (e *errorLines) String() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.text.String()
}

// startWatcher returns when fim says that nothing is missed from now on.
func startWatcher(fim, backend, marker string, p patterns, patience time.Duration) (*watcher, error) {
	args := []string{"watch", "--format", "json", "--backend", backend}
	for _, one := range p.exclude {
		args = append(args, "--exclude", one)
	}
	w := &watcher{marker: marker, patience: patience, lines: make(chan []byte, 1<<16)}
	w.cmd = exec.Command(fim, append(append(args, p.include...), marker)...)
	stdout, err := w.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stderr, err := w.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := w.cmd.Start(); err != nil {
		return nil, err
	}
	ready := make(chan bool, 1)
	go w.readErrors(stderr, ready)
	go w.readLines(stdout)
	select {
	case ok := <-ready:
		if ok {
			return w, nil
		}
	case <-time.After(patience):
	}
	w.cmd.Process.Kill()
	return nil, fmt.Errorf("%s is not ready:\n%s", w.cmd, &w.stderr)
}

func (w *watcher) readErrors(r io.Reader, ready chan<- bool) {
	defer close(ready)
	told := false
	for lines := bufio.NewScanner(r); lines.Scan(); {
		w.stderr.add(lines.Text())
		if strings.HasPrefix(lines.Text(), "fim: watching") && !told {
			told = true
			ready <- true
		}
	}
}

func (w *watcher) readLines(r io.Reader) {
	defer close(w.lines)
	lines := bufio.NewReaderSize(r, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			w.lines <- line
		}
		if err != nil {
			return
		}
	}
}

// sync returns when all that happened before it was told: it makes a directory that
// nobody else makes, and events come in order.
func (w *watcher) sync() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.marks++
	mark := filepath.Join(w.marker, fmt.Sprint(w.marks))
	if err := os.Mkdir(mark, 0o755); err != nil {
		return err
	}
	overdue := time.After(w.patience)
	for {
		select {
		case line, ok := <-w.lines:
			if !ok {
				return errors.New("fim ended:\n" + w.stderr.String())
			}
			r, err := readRecord(line)
			if err != nil {
				return err
			}
			if r["host_path"] == mark {
				return os.Remove(mark)
			}
			w.got = append(w.got, r)
		case <-overdue:
			return fmt.Errorf("%s was not told in %s", mark, w.patience)
		}
	}
}

// take returns what was told since the last time.
func (w *watcher) take() ([]Record, error) {
	err := w.sync()
	w.mu.Lock()
	defer w.mu.Unlock()
	got := w.got
	w.got = nil
	return got, err
}

// stop ends fim as a service manager does, which is success.
func (w *watcher) stop() error {
	overdue := time.AfterFunc(w.patience, func() { w.cmd.Process.Kill() })
	defer overdue.Stop()
	err := w.cmd.Process.Signal(syscall.SIGTERM)
	for range w.lines { // to its end
	}
	if err = errors.Join(err, w.cmd.Wait()); err != nil {
		return fmt.Errorf("fim, ended by SIGTERM: %w\n%s", err, &w.stderr)
	}
	return nil
}
