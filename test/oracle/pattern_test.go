// SPDX-License-Identifier: Apache-2.0

package oracle

import "testing"

func TestAPatternCoversWhatItSays(t *testing.T) {
	p := patterns{include: []string{"/a/*/in", "/a/*/glob/h*/[fk]*"}, exclude: []string{"/a/*/in/**/s"}}
	for _, row := range []struct {
		path                   string
		covers, leads, doubted bool
	}{
		{"/a", false, true, false},
		{"/a/e1", false, true, false},
		{"/a/e1/in", true, false, false},
		{"/a/e1/in/x/y", true, false, false},
		{"/a/e1/inx", false, false, false},
		{"/a/e1/in/s", false, false, true},
		{"/a/e1/in/x/s/y", false, false, true},
		{"/a/e1/glob/h0", false, true, false},
		{"/a/e1/glob/h0/f1", true, false, false},
		{"/a/e1/glob/h0/g1", false, false, true},
		{"/a/e1/glob/h0/f1/x", false, false, false},
		{"/a/e1/out/h0/f1", false, false, false},
	} {
		if c, l, d := p.covers(row.path), p.leads(row.path), p.doubted(row.path); c != row.covers || l != row.leads || d != row.doubted {
			t.Errorf("%s: covers %v, leads %v, doubted %v", row.path, c, l, d)
		}
	}
}
