// SPDX-License-Identifier: Apache-2.0

package source

import (
	"bytes"
	"errors"
	"io"
	"log"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/falco-fim/fim/bpf"
	"github.com/falco-fim/fim/event"
)

// scripted is a backend that does what a test wants next: it stands for a
// kernel that fails at the right moment, which the real one does not.
type scripted struct {
	steps  []any // *event.Event or error
	closed int
}

func (b *scripted) Next(e *event.Event, deadline time.Time) error {
	if len(b.steps) == 0 {
		return os.ErrDeadlineExceeded
	}
	step := b.steps[0]
	b.steps = b.steps[1:]
	if err, ok := step.(error); ok {
		return err
	}
	*e = *step.(*event.Event)
	return nil
}

func (b *scripted) Close() error      { b.closed++; return nil }
func (b *scripted) Watches() []string { return nil }
func (b *scripted) Stats() []Counter  { return []Counter{{Name: "backend_reads", Value: 1}} }

// withBackends replaces the table of backends for one test: each attempt to
// open takes the next of tries, a *scripted or an error.
func withBackends(t *testing.T, tries ...any) {
	t.Helper()
	saved := backends
	t.Cleanup(func() { backends = saved })
	backends = []opener{{"fanotify", func(setup) (Backend, error) {
		if len(tries) == 0 {
			return nil, errors.New("no more tries")
		}
		try := tries[0]
		tries = tries[1:]
		if err, ok := try.(error); ok {
			return nil, err
		}
		return try.(*scripted), nil
	}}}
}

// quiet is a configuration whose warnings go to the returned buffer.
func quiet(onFailure string) (Config, *bytes.Buffer) {
	var buf bytes.Buffer
	c := Default()
	c.Watch, c.OnFailure, c.HostRoot = []string{"/w"}, onFailure, "/"
	c.Log = log.New(&buf, "", 0)
	return c, &buf
}

func mustOpen(t *testing.T, c Config) *Stream {
	t.Helper()
	s, err := Open(c, "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// value is the counter called name.
func value(t *testing.T, s *Stream, name string) uint64 {
	t.Helper()
	rows := s.Stats()
	i := slices.IndexFunc(rows, func(c Counter) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("no counter %q in %v", name, rows)
	}
	return rows[i].Value
}

func TestABackendThatDoesNotOpenEndsTheSourceUnlessItShallIdle(t *testing.T) {
	cause := errors.New("no privilege")
	withBackends(t, cause)
	c, _ := quiet(Exit)
	if _, err := Open(c, ""); !errors.Is(err, cause) || !strings.Contains(err.Error(), "fanotify") {
		t.Errorf("error %v", err)
	}
}

func TestAnIdleSourceTellsOnceOfAnOutageAndComesBack(t *testing.T) {
	down := errors.New("no privilege")
	live := &scripted{steps: []any{&event.Event{Op: event.OpCreate, Boot: 1}}}
	withBackends(t, down, down, live)
	c, warnings := quiet(Idle)
	s := mustOpen(t, c)
	defer s.Close()

	var e event.Event
	if err := s.Next(&e, time.Now()); err != nil || e.Op != event.OpLost || string(e.Lost.Reason) != "backend_down" || e.Lost.Count.Known || e.Time == 0 {
		t.Fatalf("first came %+v, error %v", e, err)
	}
	if err := s.Next(&e, time.Now()); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("told twice: %+v, error %v", e, err)
	}
	s.outage.retryAt = time.Now() // the second attempt fails too
	if err := s.Next(&e, time.Now().Add(time.Hour)); !errors.Is(err, os.ErrDeadlineExceeded) || s.outage.pause != 2*firstPause {
		t.Fatalf("error %v, pause %s", err, s.outage.pause)
	}
	s.outage.retryAt = time.Now()
	if err := s.Next(&e, time.Now().Add(time.Hour)); err != nil || e.Op != event.OpCreate || s.Backend() != "fanotify" {
		t.Fatalf("got %+v, error %v, backend %q", e, err, s.Backend())
	}
	if got := value(t, s, "backend_failures"); got != 2 {
		t.Errorf("%d failures", got)
	}
	for _, want := range []string{"no privilege", "trying again in 1s", "trying again in 2s", "events come again"} {
		if !strings.Contains(warnings.String(), want) {
			t.Errorf("warnings lack %q:\n%s", want, warnings)
		}
	}
}

func TestABackendThatStopsIsAnErrorUnlessTheSourceShallIdle(t *testing.T) {
	cause := errors.New("descriptor went bad")
	for _, onFailure := range []string{Exit, Idle} {
		first := &scripted{steps: []any{cause}}
		withBackends(t, first, &scripted{})
		c, _ := quiet(onFailure)
		s := mustOpen(t, c)
		var e event.Event
		err := s.Next(&e, time.Now())
		if onFailure == Exit && !errors.Is(err, cause) {
			t.Errorf("exit: error %v", err)
		}
		if onFailure == Idle && (err != nil || e.Op != event.OpLost || first.closed != 1 || s.Backend() != "") {
			t.Errorf("idle: %+v, error %v, closed %d times, backend %q", e, err, first.closed, s.Backend())
		}
		s.Close()
	}
}

func TestEachOutageIsToldAndCountersNeverShrink(t *testing.T) {
	cause := errors.New("gone")
	withBackends(t, &scripted{steps: []any{cause}}, &scripted{steps: []any{cause}}, &scripted{})
	c, _ := quiet(Idle)
	s := mustOpen(t, c)
	defer s.Close()
	var e event.Event
	for outage := range 2 {
		if err := s.Next(&e, time.Now()); err != nil || e.Op != event.OpLost {
			t.Fatalf("outage %d: %+v, error %v", outage, e, err)
		}
		if got := value(t, s, "backend_reads"); got != uint64(outage+1) {
			t.Errorf("outage %d: backends counted %d", outage, got)
		}
		s.outage.retryAt = time.Now()
	}
	if err := s.Next(&e, time.Now()); !errors.Is(err, os.ErrDeadlineExceeded) || value(t, s, "backend_reads") != 3 {
		t.Errorf("error %v, backends counted %d", err, value(t, s, "backend_reads"))
	}
}

func TestAWaitForABackendEndsAtTheDeadline(t *testing.T) {
	withBackends(t)
	c, _ := quiet(Idle)
	s := mustOpen(t, c)
	defer s.Close()
	s.outage.told = true
	s.outage.retryAt = time.Now().Add(time.Hour)
	var e event.Event
	if err := s.Next(&e, time.Now().Add(time.Millisecond)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}

func TestAClosedStreamSaysSo(t *testing.T) {
	b := &scripted{}
	withBackends(t, b)
	c, _ := quiet(Exit)
	s := mustOpen(t, c)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	var e event.Event
	if err := s.Next(&e, time.Now()); !errors.Is(err, os.ErrClosed) || b.closed != 1 {
		t.Errorf("error %v, closed %d times", err, b.closed)
	}
}

func TestAutoTakesTheFirstBackendThatWorksAndSaysWhyNotTheOthers(t *testing.T) {
	saved := backends
	t.Cleanup(func() { backends = saved })
	no := errors.New("not here")
	opens := func(b Backend, err error) func(setup) (Backend, error) {
		return func(setup) (Backend, error) { return b, err }
	}
	backends = []opener{{"a", opens(nil, no)}, {"b", opens(&scripted{}, nil)}, {"c", opens(&scripted{}, nil)}}
	for want, name := range map[string]string{"b": auto, "c": "c"} {
		_, taken, refused, err := openFirst(name, setup{})
		if err != nil || taken != want || (name == auto) != (len(refused) == 1 && refused[0].String() == "a: not here") {
			t.Errorf("%s took %q, refused %v, error %v", name, taken, refused, err)
		}
	}
	backends = backends[:1]
	if _, _, _, err := openFirst(auto, setup{}); !errors.Is(err, no) {
		t.Errorf("error %v", err)
	}
}

func TestARefusedEBPFBackendNamesTheOneThatWorks(t *testing.T) {
	c, _ := quiet(Exit)
	c.Backend = "ebpf"
	s, err := Open(c, "")
	if err == nil {
		s.Close()
		t.Skip("SKIPPED: this kernel takes the programs")
	}
	if !errors.Is(err, bpf.ErrRefused) || !strings.Contains(err.Error(), "fanotify") {
		t.Errorf("error %v", err)
	}
}

func TestCounterNamesAreOnesThatFalcoKeeps(t *testing.T) {
	s := Replay(Config{}, io.NopCloser(strings.NewReader("")), "f")
	seen := map[string]bool{}
	for _, c := range s.Stats() {
		if seen[c.Name] || c.Help == "" || strings.Trim(c.Name, "abcdefghijklmnopqrstuvwxyz_") != "" {
			t.Errorf("counter %+v", c)
		}
		seen[c.Name] = true
		// Falco takes these for units and strips them, wherever they stand.
		for _, unit := range []string{"_bytes", "_kb", "_mb", "_ns", "_ts", "_sec", "_perc", "_ratio", "_total"} {
			if strings.Contains(c.Name, unit) {
				t.Errorf("counter %q holds %q", c.Name, unit)
			}
		}
	}
}
