// SPDX-License-Identifier: Apache-2.0

package source

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/falco-fim/fim/event"
)

// maxLine is the longest line that a replay takes, in bytes. The longest that
// `fim watch` writes is a fraction of it: sixteen paths of 4,096 bytes and two
// argument lists of a page, each byte at most six characters and two more of
// hexadecimal.
const maxLine = 4 << 20

// fileScheme begins the open parameters of a replay.
const fileScheme = "file://"

// replay reads the lines that `fim watch --format json` wrote. The file is
// streamed and hostile: a line that is no event is skipped and counted, and
// each run of such lines becomes one lost event in its place.
type replay struct {
	name string
	file io.Closer
	in   *bufio.Reader
	dec  event.Decoder
	long []byte // a line that does not fit in's buffer

	line  uint64 // number of the line read last
	last  uint64 // time of the event before
	held  bool   // the line at hand is an event that waits behind a lost event
	text  []byte // that line
	bad   badRun
	logf  func(format string, args ...any)
	count *Counters
}

// badRun is a run of consecutive lines that are no events.
type badRun struct {
	first uint64 // line number
	lines uint64
	why   error // of the first
}

// openReplay opens the file that params, "file://" and an absolute path, names.
// The path is taken as it stands: nothing is unescaped.
func openReplay(params string) (*os.File, error) {
	path, ok := strings.CutPrefix(params, fileScheme)
	if !ok || !filepath.IsAbs(path) {
		return nil, fmt.Errorf("open parameters %q: want nothing for live events, or file:///absolute/path.jsonl to replay what `fim watch --format json` wrote", params)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("replay %s: not a regular file (%s): name a file of JSON lines", path, info.Mode())
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	return f, nil
}

// Next returns the next event of the file, and io.EOF behind the last. It does
// not wait, so the deadline means nothing to it.
func (r *replay) Next(e *event.Event, _ time.Time) error {
	if r.held {
		r.held = false
		return r.deliver(e)
	}
	for {
		text, err := r.readLine()
		if err != nil && (err != io.EOF || r.bad.lines == 0) {
			return err
		}
		if err == io.EOF {
			return r.lost(e)
		}
		if len(text) == 0 {
			continue // an empty line is nobody's event
		}
		if why := r.decode(text, e); why != nil {
			r.malformed(why)
			continue
		}
		if r.bad.lines > 0 {
			r.held, r.text = true, append(r.text[:0], text...)
			return r.lost(e)
		}
		r.last = e.Time
		return nil
	}
}

func (r *replay) decode(text []byte, e *event.Event) error {
	if len(text) > maxLine {
		return errLineTooLong
	}
	return r.dec.Decode(text, e)
}

// deliver decodes the held line again: the lost event went out in its place.
func (r *replay) deliver(e *event.Event) error {
	if err := r.dec.Decode(r.text, e); err != nil {
		return fmt.Errorf("replay %s: line %d: %w", r.name, r.line, err)
	}
	r.last = e.Time
	return nil
}

func (r *replay) malformed(why error) {
	if r.bad.lines == 0 {
		r.bad = badRun{first: r.line, why: why}
	}
	r.bad.lines++
	r.count.add(malformedLines, 1)
}

// lost ends a run of bad lines. When they were written is not known; the event
// bears the time of the one before it, which tells its place.
func (r *replay) lost(e *event.Event) error {
	r.logf("replay %s: skipped %d malformed from line %d on, as lost: %v", r.name, r.bad.lines, r.bad.first, r.bad.why)
	*e = event.Event{Op: event.OpLost, Time: r.last, Lost: event.Lost{
		Count: event.Known(r.bad.lines), Reason: []byte(event.LossMalformed),
	}}
	r.bad = badRun{}
	return nil
}

var errLineTooLong = fmt.Errorf("line is longer than %d bytes", maxLine)

// readLine returns the next line without its newline, valid until the next
// call. A line beyond [maxLine] is passed over without being held in memory,
// and comes out as one that no decoder takes.
func (r *replay) readLine() ([]byte, error) {
	part, err := r.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		part, err = r.readLong(part)
	}
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("replay %s: behind line %d: %w", r.name, r.line, err)
	}
	if len(part) == 0 {
		return nil, io.EOF
	}
	r.line++
	return bytes.TrimRight(part, "\r\n"), nil // the last line may lack its newline
}

// readLong reads the rest of a line that begins with part.
func (r *replay) readLong(part []byte) ([]byte, error) {
	r.long = append(r.long[:0], part...)
	for {
		part, err := r.in.ReadSlice('\n')
		if len(r.long) <= maxLine {
			r.long = append(r.long, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return r.long, err
		}
	}
}

// Stats is empty: what a replay counts, it counts for the stream.
func (r *replay) Stats() []Counter { return nil }

// Watches is the file.
func (r *replay) Watches() []string { return []string{r.name} }

func (r *replay) Close() error { return r.file.Close() }
