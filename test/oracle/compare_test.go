// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"strings"
	"testing"
)

func event(text string) Record {
	r := Record{}
	for i, word := range strings.Fields(text) {
		r[[]string{"op", "host_path", "inode"}[i]] = word
	}
	return r
}

func TestEventsAreComparedOneByOne(t *testing.T) {
	const merging, exact = true, false
	for _, row := range []struct {
		what      string
		merges    bool
		want, got string // events, separated by commas; ? begins one that may come
		report    string
	}{
		{"the same", exact, "create a 1,unlink a 1", "create a 1,unlink a 1", "0 missing, 0 extra, 0 wrong"},
		{"nothing", exact, "create a 1", "", "1 missing, 0 extra, 0 wrong"},
		{"the first is gone", exact, "create a 1,unlink a 1", "unlink a 1", "1 missing, 0 extra, 0 wrong"},
		{"one twice", exact, "create a 1,unlink a 1", "create a 1,create a 1,unlink a 1", "0 missing, 1 extra, 0 wrong"},
		{"another path", exact, "create a 1,unlink a 1", "create b 1,unlink a 1", "0 missing, 0 extra, 1 wrong"},
		{"the other order", exact, "create a 1,unlink a 1", "unlink a 1,create a 1", "1 missing, 1 extra, 0 wrong"},
		{"one that need not come", exact, "?modify a 1,close a 1", "close a 1", "0 missing, 0 extra, 0 wrong"},
		{"and does", exact, "?modify a 1,close a 1", "modify a 1,close a 1", "0 missing, 0 extra, 0 wrong"},
		{"one that need not come ahead of its like, and only that comes", exact, "?chmod a 1,chmod a 1", "chmod a 1", "0 missing, 0 extra, 0 wrong"},
		{"so of several", exact, "?chmod a 1,chmod a 1,?chmod a 1,chmod a 1", "chmod a 1,chmod a 1", "0 missing, 0 extra, 0 wrong"},
		{"merged: the other order", merging, "create a 1,unlink a 1", "unlink a 1,create a 1", "0 missing, 0 extra, 0 wrong"},
		{"merged: once for two", merging, "unlink a 1,unlink a 1", "unlink a 1", "0 missing, 0 extra, 0 wrong"},
		{"merged: two for one", merging, "unlink a 1", "unlink a 1,unlink a 1", "0 missing, 1 extra, 0 wrong"},
		{"merged: two writings for one", merging, "modify a 1", "modify a 1,modify a 1", "0 missing, 0 extra, 0 wrong"},
		{"merged: another path", merging, "unlink a 1", "unlink b 1", "0 missing, 0 extra, 1 wrong"},
		{"merged: nothing", merging, "unlink a 1", "", "1 missing, 0 extra, 0 wrong"},
	} {
		var r Report
		want, got := expected(row.want), told(row.got)
		if row.merges {
			r.merged(want, got)
		} else {
			r.inOrder(want, got)
		}
		if text := r.Counts(); !strings.HasSuffix(text, row.report) {
			t.Errorf("%s: %s", row.what, &r)
		}
	}
}

func expected(text string) (all []Expect) {
	for one := range strings.SplitSeq(text, ",") {
		name, maybe := strings.CutPrefix(one, "?")
		all = append(all, Expect{Record: event(name), Maybe: maybe})
	}
	return all
}

func told(text string) (all []Record) {
	for one := range strings.SplitSeq(text, ",") {
		if one != "" {
			all = append(all, event(one))
		}
	}
	return all
}

func TestAKeyThatSaysSomethingByBeingThereMustNot(t *testing.T) {
	e := Expect{Record: Record{"op": "rename", "size": absent, "view_path": "/a"}, May: []string{"view_path"}}
	for _, row := range []struct {
		got  Record
		good bool
	}{
		{Record{"op": "rename"}, true},
		{Record{"op": "rename", "view_path": "/a"}, true},
		{Record{"op": "rename", "view_path": "/b"}, false},
		{Record{"op": "rename", "old.inode": "7"}, false},
		{Record{"op": "rename", "size": "7"}, false},
		{Record{"op": "rename", "mode": "0644"}, true}, // not compared
	} {
		if why := e.differs(row.got); (why == "") != row.good {
			t.Errorf("%s: %q", row.got, why)
		}
	}
}
