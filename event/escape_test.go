// SPDX-License-Identifier: Apache-2.0

package event

import "testing"

func TestEscapeLeavesNothingThatATerminalObeys(t *testing.T) {
	for name, want := range map[string]string{
		"":                    "",
		"/etc/passwd":         "/etc/passwd",
		"/w/Ольга 日本 😀 Â":     "/w/Ольга 日本 😀 Â",
		"a\nb\tc\x00":         `a\x0ab\x09c\x00`,
		"\x1b[2J\x7f":         `\x1b[2J\x7f`,
		"c1 \u009b2J":         `c1 \xc2\x9b2J`,
		"bad \xff\xc2 utf-8":  "bad \xff\xc2 utf-8",
		`back\slash "quoted"`: `back\slash "quoted"`,
	} {
		if got := string(Escape(nil, []byte(name))); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
