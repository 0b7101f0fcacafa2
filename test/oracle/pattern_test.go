// SPDX-License-Identifier: Apache-2.0

package oracle

import "testing"

func TestAPatternCoversWhatItSays(t *testing.T) {
	p := patterns{include: []string{"/a/*/in", "/a/*/glob/h*/[fk]*"}, exclude: []string{"/a/*/in/**/s"}}
	for _, row := range []struct {
		path                  string
		covers, leads, doubts bool
	}{
		{"/a", false, true, false},
		{"/a/e1", false, true, false},
		{"/a/e1/in", true, false, true},
		{"/a/e1/in/x/y", true, false, true},
		{"/a/e1/inx", false, false, false},
		{"/a/e1/in/s", false, false, true},
		{"/a/e1/in/x/s/y", false, false, true},
		{"/a/e1/glob/h0", false, true, false},
		{"/a/e1/glob/h0/f1", true, false, true},
		{"/a/e1/glob/h0/g1", false, false, true},
		{"/a/e1/glob/h0/f1/x", false, false, false},
		{"/a/e1/out/h0/f1", false, false, false},
	} {
		if c, l, d := p.covers(row.path), p.leads(row.path), p.doubts(row.path); c != row.covers || l != row.leads || d != row.doubts {
			t.Errorf("%s: covers %v, leads %v, doubts %v", row.path, c, l, d)
		}
	}
}

func TestAThingIsToldByThePathThatPatternsNameItBy(t *testing.T) {
	p := patterns{include: []string{"/w/in", "/w/glob/*/f"}}
	for _, row := range []struct {
		files []string
		moves bool
		path  string
		how   concern
	}{
		{nil, false, "", nothing},
		{[]string{"/w/out/a", "/v/out/a"}, false, "/w/out/a", nothing},
		{[]string{"/w/out/a", "/w/in/at/a", "/w/in/b/a"}, false, "/w/in/at/a", covered},
		{[]string{"/w/out", "/w/glob/d"}, false, "/w/out", nothing},
		{[]string{"/w/out", "/w/glob/d"}, true, "/w/glob/d", leading},
		{[]string{"/w/glob/d", "/w/in/d"}, true, "/w/in/d", covered},
	} {
		if path, how := p.choose(row.files, row.moves); path != row.path || how != row.how {
			t.Errorf("%q: %q, %v", row.files, path, how)
		}
	}
}

func TestAPlaceIsDoubtedWhereAHiddenPathOfItLooksWatched(t *testing.T) {
	p := patterns{include: []string{"/w/in"}, exclude: []string{"/w/in/s"}}
	for _, row := range []struct {
		at   place
		want bool
	}{
		{place{hosts: []string{"/w/in/a"}, hidden: []string{"/w/in/b"}}, false},
		{place{hosts: []string{"/v/a"}}, false},
		{place{hosts: []string{"/v/a"}, hidden: []string{"/w/in/a"}}, true},
		{place{hosts: []string{"/w/in/s"}}, true},
		{place{left: "/w/in/a"}, true},
	} {
		if got := p.doubted(row.at); got != row.want {
			t.Errorf("%+v: %v", row.at, got)
		}
	}
}
