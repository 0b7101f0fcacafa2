// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"bytes"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestTheConsoleLosesControlSequencesAndNothingElse(t *testing.T) {
	for name, tc := range map[string]struct{ in, want string }{
		"text":                {"a\tb\r\nc é\xff\n", "a\tb\nc é\xff\n"},
		"colour":              {"\x1b[1;31mred\x1b[0m", "red"},
		"private mode":        {"\x1b[?7lx\x1b[2J", "x"},
		"reset":               {"\x1bcx", "x"},
		"character set":       {"\x1b(Bx", "x"},
		"title, BEL":          {"\x1b]0;title\x07x", "x"},
		"title, ST":           {"\x1b]0;title\x1b\\x", "x"},
		"device control":      {"\x1bPq\x1b[0m\x1b\\x", "x"},
		"backspace, NUL":      {"a\bb\x00c\x7fd", "abcd"},
		"a cut sequence":      {"\x1b[12\nx", "\nx"},
		"ESC within":          {"\x1b[1\x1b[2mx", "x"},
		"unfinished":          {"x\x1b[", "x"},
		"brackets are text":   {"[ 1.0] x[0m", "[ 1.0] x[0m"},
		"letters after plain": {"c]P", "c]P"},
	} {
		t.Run(name, func(t *testing.T) {
			var whole, bytewise bytes.Buffer
			io.WriteString(&console{w: &whole}, tc.in)
			c := &console{w: &bytewise}
			for i := range len(tc.in) {
				io.WriteString(c, tc.in[i:i+1])
			}
			if whole.String() != tc.want || bytewise.String() != tc.want {
				t.Errorf("%q became %q, byte by byte %q, want %q", tc.in, &whole, &bytewise, tc.want)
			}
		})
	}
}

func TestNoControlByteLeavesTheConsole(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	alphabet := []byte("\x1b\x1b[]P\\;0m\x07\x00\r\n\tAz\x9b\xff")
	for range 2000 {
		in := make([]byte, r.IntN(40))
		for i := range in {
			in[i] = alphabet[r.IntN(len(alphabet))]
		}
		var out bytes.Buffer
		(&console{w: &out}).Write(in)
		if i := bytes.IndexFunc(out.Bytes(), func(c rune) bool { return c < ' ' && c != '\n' && c != '\t' }); i >= 0 {
			t.Fatalf("%q became %q", in, &out)
		}
	}
}

func TestTheTailIsTheLastWholeLines(t *testing.T) {
	var c tail
	for range 3000 {
		io.WriteString(&c, "line\n")
	}
	io.WriteString(&c, "last \xff")
	got := c.String()
	if len(got) > tailSize+2 /* U+FFFD for a byte */ || !strings.HasPrefix(got, "line\n") || !strings.HasSuffix(got, "line\nlast \ufffd") {
		t.Errorf("%d bytes: %.20q … %q", len(got), got, got[len(got)-20:])
	}
}
