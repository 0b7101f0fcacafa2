// SPDX-License-Identifier: Apache-2.0

package bpf

import "strings"

// String returns the hook on one line, for people.
func (h Hook) String() string {
	var b strings.Builder
	b.WriteString(h.Function)
	if !h.Attached {
		return b.String() + ": not attached: " + h.Why
	}
	b.WriteString(": " + h.Program)
	if h.Variant != "" {
		b.WriteString(", " + h.Variant)
	}
	names := make([]string, len(h.Needed))
	for i, op := range h.Needed {
		names[i] = op.String()
	}
	switch {
	case len(names) == len(everything):
		b.WriteString(", needed for every operation")
	case len(names) > 0:
		b.WriteString(", needed for " + strings.Join(names, " "))
	}
	return b.String()
}
