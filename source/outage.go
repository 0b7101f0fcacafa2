// SPDX-License-Identifier: Apache-2.0

package source

import (
	"errors"
	"os"
	"time"

	"github.com/falco-fim/fim/event"
)

// The pauses between attempts to open a backend again.
const (
	firstPause = time.Second
	lastPause  = time.Minute
)

// outage is the time without a backend, in which a stream idles.
type outage struct {
	told    bool // the lost event went out
	pause   time.Duration
	retryAt time.Time
}

// fail puts the backend away and sets when to try again.
func (s *Stream) fail(err error) {
	s.counters.add(backendFailures, 1)
	s.outage.pause = min(max(2*s.outage.pause, firstPause), lastPause)
	s.outage.retryAt = time.Now().Add(s.outage.pause)
	s.c.logf("no events: %v; trying again in %s", err, s.outage.pause)
	s.outage.told = s.outage.told && s.from == nil // a new outage is told anew
	if err := s.retire(); err != nil {
		s.c.logf("close the backend that stopped: %v", err)
	}
}

// retire closes the backend and keeps what it counted.
func (s *Stream) retire() error {
	if s.from == nil {
		return nil
	}
	err := s.from.Close()
	if s.who != nil {
		err = errors.Join(err, s.who.close())
		s.who = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retired = sum(s.retired, s.from.Stats())
	s.from, s.name = nil, ""
	return err
}

// idle tells once of each outage, then waits for the time to try again, but no
// longer than the deadline.
func (s *Stream) idle(e *event.Event, deadline time.Time) error {
	if !s.outage.told {
		s.outage.told = true
		*e = event.Event{Op: event.OpLost, Lost: event.Lost{Reason: []byte(event.LossBackendDown)}}
		return nil
	}
	if deadline.Before(s.outage.retryAt) {
		time.Sleep(time.Until(deadline))
		return os.ErrDeadlineExceeded
	}
	time.Sleep(time.Until(s.outage.retryAt))
	if err := s.open(); err != nil {
		s.fail(err)
		return os.ErrDeadlineExceeded
	}
	s.c.logf("events come again, from %s", s.name)
	return s.next(e, deadline)
}
