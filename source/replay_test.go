// SPDX-License-Identifier: Apache-2.0

package source

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/falco-fim/fim/event"
)

// line is an event as `fim watch --format json` writes it.
func line(e *event.Event) string { return string(event.AppendText(nil, e)) + "\n" }

func sample(path string, time uint64) *event.Event {
	return &event.Event{Op: event.OpCreate, Time: time, File: event.File{HostPath: []byte(path)}}
}

// replayText replays text and returns the events and the warnings.
func replayText(t testing.TB, text string) (events []*event.Event, warnings string) {
	t.Helper()
	var buf bytes.Buffer
	s := Replay(Config{Log: log.New(&buf, "", 0)}, io.NopCloser(strings.NewReader(text)), "f")
	var e event.Event
	for {
		err := s.Next(&e, time.Time{})
		if err == io.EOF {
			return events, buf.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e.Clone())
	}
}

// recorded are the payload's own golden files, hostile names among them.
func recorded(t testing.TB) string {
	t.Helper()
	files, err := filepath.Glob("../event/testdata/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files: ", err)
	}
	var text strings.Builder
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(b)
	}
	return text.String()
}

func TestWhatWasRecordedComesOutByteForByte(t *testing.T) {
	want := recorded(t)
	events, warnings := replayText(t, want)
	var got strings.Builder
	for _, e := range events {
		got.WriteString(line(e))
	}
	if got.String() != want || warnings != "" {
		t.Errorf("got\n%s\nwant\n%s\nwarnings %s", got.String(), want, warnings)
	}
}

func TestAFileIsOpenedByItsURLAndReadToItsEnd(t *testing.T) {
	file := filepath.Join(t.TempDir(), "odd name%20#?.jsonl")
	if err := os.WriteFile(file, []byte(recorded(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(Default(), "file://"+file)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var e event.Event
	n := 0
	for err = s.Next(&e, time.Time{}); err == nil; err = s.Next(&e, time.Time{}) {
		n++
	}
	if want := strings.Count(recorded(t), "\n"); err != io.EOF || n != want || s.Backend() != "replay" {
		t.Errorf("%d of %d events, error %v, backend %q", n, want, err, s.Backend())
	}
}

func TestOpenParametersThatNameNoFileAreRefusedWithAdvice(t *testing.T) {
	dir := t.TempDir()
	for name, row := range map[string]struct{ params, want string }{
		"a bare path":        {"/tmp/f.jsonl", "file:///absolute"},
		"a relative path":    {"file://f.jsonl", "file:///absolute"},
		"another scheme":     {"http://host/f", "file:///absolute"},
		"a space":            {" ", "file:///absolute"},
		"a file that is not": {"file://" + dir + "/no", "no such file"},
		"a directory":        {"file://" + dir, "not a regular file"},
		"a device":           {"file:///dev/zero", "not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(Default(), row.params)
			if err == nil {
				s.Close()
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), row.want) {
				t.Errorf("error %v, want %s", err, row.want)
			}
		})
	}
}

func TestLinesThatAreNoEventsBecomeOneLostEventInTheirPlace(t *testing.T) {
	a, b := line(sample("/a", 1)), line(sample("/b", 2))
	for name, row := range map[string]struct {
		text string
		want string // paths, and numbers of lines lost
	}{
		"none":                          {a + b, "/a /b"},
		"one between events":            {a + "{}\n" + b, "/a 1@1 /b"},
		"several in a row":              {a + "x\n[]\n{\"v\":9,\"op\":\"create\"}\n" + b, "/a 3@1 /b"},
		"two runs":                      {"x\n" + a + "y\n" + b, "1@0 /a 1@1 /b"},
		"at the end":                    {a + b + "x\n", "/a /b 1@2"},
		"a last line that was cut off":  {a + b[:20], "/a 1@1"},
		"a last line without a newline": {a + strings.TrimSuffix(b, "\n"), "/a /b"},
		"lines that end in CR LF":       {strings.ReplaceAll(a+b, "\n", "\r\n"), "/a /b"},
		"empty lines":                   {"\n" + a + "\n\n" + b, "/a /b"},
		"nothing at all":                {"", ""},
		"only garbage":                  {"\x00\xff\n\x1b[2J\n", "2@0"},
		"a line that is too long":       {a + strings.Repeat("x", maxLine+1) + "\n" + b, "/a 1@1 /b"},
		"an event, then endless spaces": {a + strings.TrimSpace(b) + strings.Repeat(" ", maxLine) + "\n" + b, "/a 1@1 /b"},
		"a long line that is an event":  {a + line(sample("/"+strings.Repeat("x", 200_000), 3)) + b, "/a /" + strings.Repeat("x", 200_000) + " /b"},
		"deep nesting":                  {strings.Repeat("[", 1<<20) + "\n" + a, "1@0 /a"},
	} {
		t.Run(name, func(t *testing.T) {
			events, warnings := replayText(t, row.text)
			var got []string
			for _, e := range events {
				if e.Op == event.OpLost {
					got = append(got, fmt.Sprintf("%d@%d", e.Lost.Count.V, e.Time))
				} else {
					got = append(got, string(e.File.HostPath))
				}
			}
			if joined := strings.Join(got, " "); joined != row.want {
				t.Errorf("got %.200s, want %.200s", joined, row.want)
			}
			if runs := strings.Count(row.want, "@"); strings.Count(warnings, "\n") != runs {
				t.Errorf("%d runs of bad lines, warnings:\n%.500s", runs, warnings)
			}
		})
	}
}

func TestTheWarningNamesFileLineAndReason(t *testing.T) {
	_, warnings := replayText(t, line(sample("/a", 1))+"\n{\"v\":1,\"op\":\"\x1b[31m\"}\nx\n")
	for _, want := range []string{"replay f", "2 malformed", "line 3", "unknown operation"} {
		if !strings.Contains(warnings, want) {
			t.Errorf("%q lacks %q", warnings, want)
		}
	}
	if strings.Contains(warnings, "\x1b") {
		t.Errorf("%q holds an escape of the file", warnings)
	}
}

func TestAReplayCountsWhatItDelivers(t *testing.T) {
	text := "x\ny\n" + line(sample("/a", 1)) + line(&event.Event{Op: event.OpLost})
	s := Replay(Config{Log: log.New(io.Discard, "", 0)}, io.NopCloser(strings.NewReader(text)), "f")
	var e event.Event
	for s.Next(&e, time.Time{}) == nil {
	}
	got := map[string]uint64{}
	for _, c := range s.Stats() {
		got[c.Name] = c.Value
	}
	for name, want := range map[string]uint64{
		"events": 3, "events_create": 1, "events_lost": 2, "malformed": 2, "lost": 2, "lost_uncounted": 1,
	} {
		if got[name] != want {
			t.Errorf("%s is %d, want %d", name, got[name], want)
		}
	}
}

// failing is a file on a disk that goes bad.
type failing struct{ io.Reader }

func (f failing) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err == io.EOF {
		err = os.ErrPermission
	}
	return n, err
}

func TestAReadErrorIsNotTheEndOfTheFile(t *testing.T) {
	s := Replay(Default(), io.NopCloser(failing{strings.NewReader(line(sample("/a", 1)))}), "f")
	var e event.Event
	if err := s.Next(&e, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Next(&e, time.Time{}); err == nil || err == io.EOF || !strings.Contains(err.Error(), "behind line 1") {
		t.Errorf("error %v", err)
	}
}

// Whatever bytes of a recording are hit, every line that is whole still comes
// out, in order, and every other line is counted.
func TestARecordingDamagedAnywhereLosesOnlyTheLinesThatWereHit(t *testing.T) {
	seed := time.Now().UnixNano()
	r := rand.New(rand.NewSource(seed))
	for range 300 {
		const n = 20
		lines := make([]string, n)
		hit := map[int]bool{}
		for i := range lines {
			lines[i] = line(sample(fmt.Sprintf("/%d", i), uint64(i+1)))
			if r.Intn(3) == 0 {
				hit[i] = true
				lines[i] = lines[i][1:] // without its brace
			}
		}
		events, _ := replayText(t, strings.Join(lines, ""))
		whole, lost := 0, uint64(0)
		for _, e := range events {
			if e.Op == event.OpLost {
				lost += e.Lost.Count.V
				continue
			}
			for hit[whole+int(lost)] {
				t.Fatalf("seed %d: line %d was hit but came out", seed, whole+int(lost))
			}
			if want := fmt.Sprintf("/%d", whole+int(lost)); string(e.File.HostPath) != want {
				t.Fatalf("seed %d: %s came out in the place of %s", seed, e.File.HostPath, want)
			}
			whole++
		}
		if whole+int(lost) != n || int(lost) != len(hit) {
			t.Fatalf("seed %d: %d whole, %d lost of %d with %d hit", seed, whole, lost, n, len(hit))
		}
	}
}

func FuzzReplay(f *testing.F) {
	f.Add([]byte(recorded(f)))
	f.Add([]byte("x\n{\"v\":1,\"op\":\"lost\"}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		events, _ := replayText(t, string(text))
		var again strings.Builder
		for _, e := range events {
			again.WriteString(line(e))
		}
		second, warnings := replayText(t, again.String())
		if warnings != "" || len(second) != len(events) {
			t.Fatalf("%d events, then %d: %s", len(events), len(second), warnings)
		}
		for i := range events {
			if line(events[i]) != line(second[i]) {
				t.Fatalf("event %d was %s and became %s", i, line(events[i]), line(second[i]))
			}
		}
	})
}
