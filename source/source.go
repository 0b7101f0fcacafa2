// SPDX-License-Identifier: Apache-2.0

// Package source makes one stream of events out of what this host offers: the
// first backend that works, or a file that was recorded before.
//
// Two things may surprise. There is no goroutine: [Stream.Next] does the work on
// the caller's thread, so closing a stream leaves nothing behind. And with
// on_failure set to idle a stream opens although no backend does; it says so
// with a lost event and keeps trying.
package source

import (
	"bufio"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/falco-fim/fim/event"
)

// Stream is one source of events. Next and Close belong to one thread; the
// other methods may be called from any.
type Stream struct {
	c        Config
	clock    *clock // nil in a replay, whose events have their time
	counters Counters

	mu      sync.Mutex // held to change what follows, and to read it from outside
	from    Backend    // nil while idle
	who     *who       // as from, and nil in a replay
	name    string
	refused []Refusal
	retired []Counter // of backends that were closed

	closed bool
	outage outage
}

// Open opens a stream: live when params is empty, the replay of a file when it
// is file:// and an absolute path. A backend that does not open is an error, or
// with [Idle] a stream that keeps trying.
func Open(c Config, params string) (*Stream, error) {
	if params != "" {
		f, err := openReplay(params)
		if err != nil {
			return nil, err
		}
		return Replay(c, f, f.Name()), nil
	}
	s := &Stream{c: c, clock: newClock()}
	if err := s.open(); err != nil {
		if c.OnFailure != Idle {
			return nil, err
		}
		s.fail(err)
	}
	return s, nil
}

// Replay returns a stream of the events that `fim watch --format json` wrote to
// in; name is how errors call it. Of the configuration only the log matters.
// Closing the stream closes in.
func Replay(c Config, in io.ReadCloser, name string) *Stream {
	s := &Stream{c: c, name: "replay"}
	s.from = &replay{name: name, file: in, in: bufio.NewReaderSize(in, 64<<10), logf: c.logf, count: &s.counters}
	return s
}

// open opens a backend.
func (s *Stream) open() error {
	with, err := s.c.setup()
	if err != nil {
		return err
	}
	w, err := openWho(s.c.HostRoot)
	if err != nil {
		return err
	}
	b, name, refused, err := openFirst(s.c.Backend, with)
	if err != nil {
		err = errors.Join(err, w.close())
		w = nil
	}
	s.who = w
	s.mu.Lock()
	s.from, s.name, s.refused = b, name, refused
	s.mu.Unlock()
	if err == nil {
		s.c.warn(with.set)
	}
	return err
}

// Next fills e with the next event; its slices are valid until the next call.
// It returns [os.ErrDeadlineExceeded] when none came until the deadline,
// [io.EOF] at the end of a replay, [os.ErrClosed] after Close, and any other
// error when the backend has stopped for good.
func (s *Stream) Next(e *event.Event, deadline time.Time) error {
	err := s.next(e, deadline)
	if s.clock != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		s.clock.tick()
	}
	if err != nil {
		return err
	}
	if s.clock != nil {
		e.Time = s.unix(e)
		if s.who != nil { // while idle there is nothing but loss
			s.who.add(e)
		}
	}
	s.counters.event(e)
	return nil
}

// unix is when e happened; an event that the stream itself made happens now.
func (s *Stream) unix(e *event.Event) uint64 {
	if e.Boot == 0 {
		return s.clock.current()
	}
	return s.clock.unix(e.Boot)
}

// next reads the backend, or waits for one.
func (s *Stream) next(e *event.Event, deadline time.Time) error {
	if s.closed {
		return os.ErrClosed
	}
	if s.from == nil {
		return s.idle(e, deadline)
	}
	err := s.from.Next(e, deadline)
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		s.outage.pause = 0
		return err
	}
	if s.clock == nil || s.c.OnFailure != Idle {
		return err
	}
	s.fail(err)
	return s.idle(e, deadline)
}

// Close ends the stream and releases all that it holds.
func (s *Stream) Close() error {
	s.closed = true
	return s.retire()
}

// Backend names where events come from: a backend, "replay", or "" while there
// is none.
func (s *Stream) Backend() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.name
}

// Refused tells of the backends that would have been preferred, and why each
// was not taken.
func (s *Stream) Refused() []Refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// Stats returns the counters of the stream and of its backends as they stand.
// No row ever vanishes and no value ever shrinks, whatever the backend does.
func (s *Stream) Stats() []Counter {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows := append(s.counters.rows(nil), s.retired...)
	if s.from != nil {
		rows = sum(rows, s.from.Stats())
	}
	return rows
}
