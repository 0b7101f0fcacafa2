// SPDX-License-Identifier: Apache-2.0

package oracle

import "testing"

func TestAnOpenFileIsKnownByTheNameItWasOpenedBy(t *testing.T) {
	n := func(nest int, rel string) ownName { return ownName{nest, rel} }
	for _, row := range []struct {
		what string
		do   func(*entry)
		nest int
		rel  string
	}{
		{"it goes along with its name", func(e *entry) { e.renamed(n(0, "d/f"), n(1, "g")) }, 1, "g"},
		{"and with its directory", func(e *entry) { e.renamed(n(0, "d"), n(1, "x/y")) }, 1, "x/y/f"},
		{"not with another name", func(e *entry) { e.renamed(n(0, "d/g"), n(0, "h")) }, 0, "d/f"},
		{"nor with one of another nest", func(e *entry) { e.renamed(n(1, "d"), n(0, "h")) }, 0, "d/f"},
		{"once removed it stays where it was", func(e *entry) { e.removed(n(0, "d/f")); e.renamed(n(0, "d/f"), n(0, "g")) }, 0, "d/f"},
		{"but goes along with its directory", func(e *entry) { e.removed(n(0, "d/f")); e.renamed(n(0, "d"), n(0, "g")) }, 0, "g/f"},
		{"until that is removed", func(e *entry) { e.removed(n(0, "d")); e.renamed(n(0, "d"), n(0, "g")) }, 0, "d/f"},
		{"a rename over it removes it", func(e *entry) { e.renamed(n(0, "x"), n(0, "d/f")); e.renamed(n(0, "d/f"), n(0, "g")) }, 0, "d/f"},
		{"it changes places with another", func(e *entry) { e.exchanged(n(0, "x"), n(0, "d/f")) }, 0, "x"},
		{"or its directory does", func(e *entry) { e.exchanged(n(0, "d"), n(1, "x")) }, 1, "x/f"},
	} {
		e := newEntry(n(0, "d/f"), nil)
		if row.do(e); e.nest != row.nest || e.rel() != row.rel {
			t.Errorf("%s: it is %d:%s", row.what, e.nest, e.rel())
		}
	}
}
