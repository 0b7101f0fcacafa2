// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// readyLine begins the line on stderr after which fim reports every change.
const readyLine = "fim: watching"

// process is a running "fim watch".
type process struct {
	cmd *exec.Cmd
	// change makes one change to a path in a marker that fim reports.
	change func(path string) error
	lines  chan []byte // of stdout; closed at its end
	stderr safeBuffer
	// past are the directories of scripts that have ended.
	past []string
}

// watcher is what one script sees of a process.
type watcher struct {
	*process
	// marker is the watched directory in which settle makes its changes.
	marker string
	marks  int
	// all holds every line that came, those of markers too.
	all [][]byte
}

// safeBuffer is a buffer that a process writes and a failure reads.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) add(line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fmt.Fprintln(&b.buf, line)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// startWatch runs fim watch with args and returns as soon as it is ready.
func startWatch(fim, backend string, args, markers []string) (*process, error) {
	w := &process{lines: make(chan []byte, 1<<16)}
	var err error
	if w.change, err = chooseChange(args); err != nil {
		return w, err
	}
	args = slices.Concat([]string{"watch", "--backend", backend, "--format", "json"}, args, markers)
	w.cmd = exec.Command(fim, args...)
	stdout, err := w.cmd.StdoutPipe()
	if err != nil {
		return w, err
	}
	stderr, err := w.cmd.StderrPipe()
	if err != nil {
		return w, err
	}
	if err := errors.Join(callPrograms(true), w.cmd.Start()); err != nil {
		return w, err
	}
	ready := make(chan bool, 1)
	go w.readErrors(stderr, ready)
	go w.readLines(stdout)
	select {
	case ok := <-ready:
		if ok {
			return w, callPrograms(false)
		}
		return w, fmt.Errorf("%s ended before it was ready:\n%s", w.cmd, &w.stderr)
	case <-time.After(*patience):
		return w, fmt.Errorf("%s did not say %q:\n%s", w.cmd, readyLine, &w.stderr)
	}
}

// readErrors collects stderr and tells once whether fim became ready.
func (w *process) readErrors(r io.Reader, ready chan<- bool) {
	defer close(ready)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		w.stderr.add(lines.Text())
		if strings.HasPrefix(lines.Text(), readyLine) {
			select {
			case ready <- true:
			default:
			}
		}
	}
}

func (w *process) readLines(r io.Reader) {
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

// settle returns every event since the last settle. It makes a change that
// nobody else makes and reads until it comes back: a backend reports in
// order, so whatever happened before has been told by then.
func (w *watcher) settle(patience time.Duration) ([]Record, error) {
	w.marks++
	mark := filepath.Join(w.marker, fmt.Sprint(w.marks))
	if err := w.change(mark); err != nil {
		return nil, err
	}
	deadline := time.After(patience)
	var got []Record
	for {
		var line []byte
		select {
		case line = <-w.lines:
		case <-deadline:
			return got, fmt.Errorf("the change of %s was not reported; until then came %s", mark, got)
		}
		if line == nil {
			return got, errors.New("fim ended")
		}
		w.all = append(w.all, line)
		r, err := ParseRecord(line)
		if err != nil {
			return got, err
		}
		path, _ := r.Text("host_path")
		if path == mark {
			return got, nil
		}
		if !strings.HasPrefix(path, w.marker+"/") && !w.isPast(path) { // leftovers of an earlier mark
			got = append(got, r)
		}
	}
}

// isPast tells whether a path is of a script that has ended: that its filesystems go
// away is told when fim next looks at the mount table.
func (w *process) isPast(path string) bool {
	return slices.ContainsFunc(w.past, func(dir string) bool { return strings.HasPrefix(path, dir+"/") })
}
