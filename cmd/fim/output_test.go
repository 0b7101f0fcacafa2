// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/falco-fim/fim/event"
)

// writes records each write by itself.
type writes [][]byte

func (w *writes) Write(p []byte) (int, error) {
	*w = append(*w, bytes.Clone(p))
	return len(p), nil
}

func TestLinesLeaveWholeAndManyAtATime(t *testing.T) {
	var w writes
	o := &output{w: &w, row: appendJSON}
	e := rows()[0]
	for range 5000 {
		if err := o.event(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.flush(); err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, chunk := range w {
		if !bytes.HasSuffix(chunk, []byte("}\n")) {
			t.Fatalf("a write ends in the middle of a line: …%s", chunk[len(chunk)-20:])
		}
		all = append(all, chunk...)
	}
	if want := bytes.Repeat(append(event.AppendText(nil, e), '\n'), 5000); !bytes.Equal(all, want) {
		t.Error("what was written is not what was printed")
	}
	if len(w) > 100 {
		t.Errorf("%d writes for 5,000 events", len(w))
	}
}

func TestAnOutputFileIsAppendedToOnALineOfItsOwn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out")
	for before, want := range map[string]string{
		"":              "new\n",
		"old\n":         "old\nnew\n",
		`{"v":1,"op":"`: "{\"v\":1,\"op\":\"\nnew\n", // the power went off here
	} {
		if err := os.WriteFile(file, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := openOutput(file)
		if err != nil {
			t.Fatal(err)
		}
		_, werr := f.WriteString("new\n")
		f.Close()
		if got, err := os.ReadFile(file); err != nil || werr != nil || string(got) != want {
			t.Errorf("%q became %q, errors %v, %v", before, got, werr, err)
		}
	}
}

func TestOnlyATerminalIsATerminal(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if terminalOf(null) != nil || terminalOf(&bytes.Buffer{}) != nil {
		t.Error("taken for a terminal")
	}
}
