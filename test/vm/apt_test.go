// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"testing"
)

func TestTheMirrorIsTheMachinesDebianArchive(t *testing.T) {
	for name, tc := range map[string]struct{ targets, want string }{
		"label":                    {"bookworm|Debian|http://m/debian/\n", "http://m/debian"},
		"security is another":      {"bookworm-security|Debian-Security|http://s/\nbookworm|Debian|http://m/debian\n", "http://m/debian"},
		"no index yet":             {"bookworm-security|$(LABEL)|http://s/\nbookworm|$(LABEL)|http://m/debian/\n", "http://m/debian"},
		"a third party's stable":   {"stable|Vendor Inc.|http://v/\nsid|Debian|http://m/\n", "http://m"},
		"another distribution's":   {"noble|Ubuntu|http://u/\n", ""},
		"nothing":                  {"", ""},
		"lines of other programs":  {"W: warning\n", ""},
		"the first archive counts": {"trixie|Debian|http://a/\nsid|Debian|http://b/\n", "http://a"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := debianMirror(tc.targets); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}
