// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/source"
)

const (
	// flushAt is how many bytes wait at most for an idle moment.
	flushAt = 32 << 10
	// poll is how long a quiet stream is waited for before looking at signals.
	poll = 100 * time.Millisecond
)

// The values of --format.
const (
	formatTable = "table"
	formatJSON  = "json"
	formatNone  = "none"
)

// output writes events. Lines are collected and leave whole, many at a time:
// when the stream is idle, or when enough of them wait.
type output struct {
	w   io.Writer
	buf []byte
	row func(dst []byte, e *event.Event) []byte
}

// newOutput returns an output in the given format, by default a table on a
// terminal and JSON otherwise.
func newOutput(format string, w io.Writer) (*output, error) {
	term := terminalOf(w)
	if format == "" {
		format = formatJSON
		if term != nil {
			format = formatTable
		}
	}
	switch format {
	case formatTable:
		return &output{w: w, row: newTable(term).appendRow}, nil
	case formatJSON:
		return &output{w: w, row: appendJSON}, nil
	case formatNone:
		return &output{w: w, row: func(dst []byte, _ *event.Event) []byte { return dst }}, nil
	}
	return nil, usageError{fmt.Errorf("--format %q: want table, json or none", format)}
}

func appendJSON(dst []byte, e *event.Event) []byte {
	return append(event.AppendText(dst, e), '\n')
}

func (o *output) event(e *event.Event) error {
	o.buf = o.row(o.buf, e)
	if len(o.buf) < flushAt {
		return nil
	}
	return o.flush()
}

func (o *output) flush() error {
	if len(o.buf) == 0 {
		return nil
	}
	_, err := o.w.Write(o.buf)
	o.buf = o.buf[:0]
	return err
}

// pump prints the events of a stream until it ends, a signal comes, or the
// reader of the output goes away. What came before an error is printed too.
func pump(ctx context.Context, s *source.Stream, o *output) error {
	err := pumpEvents(ctx, s, o)
	if err == io.EOF {
		err = nil
	}
	return errors.Join(err, o.flush())
}

func pumpEvents(ctx context.Context, s *source.Stream, o *output) error {
	var e event.Event
	for ctx.Err() == nil {
		deadline := time.Now()
		if len(o.buf) == 0 {
			deadline = deadline.Add(poll)
		}
		err := s.Next(&e, deadline)
		switch {
		case err == nil:
			err = o.event(&e)
		case errors.Is(err, os.ErrDeadlineExceeded):
			err = o.flush()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readerGone says whether err is that of a closed pipe, as of `fim … | head`:
// no reason to complain.
func readerGone(err error) bool { return errors.Is(err, unix.EPIPE) }

// openOutput opens the file of --output for appending: what was recorded before
// is evidence. A last line that was cut off gets its newline, else the first
// event would become part of it.
func openOutput(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return f, err
	}
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, info.Size()-1); err == nil && last[0] != '\n' {
		_, err = f.Write([]byte{'\n'})
		return f, err
	}
	return f, nil
}
