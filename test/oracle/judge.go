// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
)

// Judge compares what was told, as spoil leaves it, with what should be: thread by
// thread, or process by process where events do not tell the thread. What nobody of the
// cast did must not be there, but for what this process does itself to prepare, which is
// to mount nothing where it is watched.
func (e *Episode) Judge(spoil fault) Report {
	var report Report
	want := map[string][]Expect{}
	for _, w := range e.workers {
		report.Ops += w.ops
		for _, one := range w.want {
			report.want(one.Record["op"], 1)
			want[e.actor(one.Record)] = append(want[e.actor(one.Record)], one)
		}
	}
	told := e.told(spoil)
	for who := range want {
		e.compare(&report, want[who], told[who])
	}
	for who, got := range told {
		report.Events += len(got)
		if want[who] == nil {
			report.rest(nil, got)
		}
	}
	return report
}

// told returns the spoilt events of each actor.
func (e *Episode) told(spoil fault) map[string][]Record {
	self := strconv.Itoa(os.Getpid())
	told := map[string][]Record{}
	for _, one := range e.got {
		for _, r := range spoil(one) {
			if r["proc.pid"] != self || r.is("lost", "mount", "umount") {
				told[e.actor(r)] = append(told[e.actor(r)], r)
			}
		}
	}
	return told
}

// actor is who did it, as far as that is told.
func (e *Episode) actor(r Record) string {
	if e.merges {
		return cmp.Or(r["proc.pid"], absent)
	}
	return r["proc.pid"] + "/" + r["proc.tid"]
}

func (e *Episode) compare(report *Report, want []Expect, got []Record) {
	if e.merges {
		report.merged(want, got)
		return
	}
	faults := len(report.Missing) + len(report.Extra) + len(report.Wrong)
	report.inOrder(want, got)
	if report.Order == "" && len(report.Missing)+len(report.Extra)+len(report.Wrong) > faults {
		report.Order = order(want, got)
	}
}

// order shows both side by side in the order of each, which tells what came too soon.
func order(want []Expect, got []Record) string {
	line := func(r Record) string {
		return fmt.Sprintf("%-9s %s", r["op"], path.Base(cmp.Or(r["host_path"], r["view_path"], absent)))
	}
	var b strings.Builder
	for i := range max(len(want), len(got)) {
		var left, right string
		if i < len(want) {
			left = line(want[i].Record)
			if want[i].Maybe {
				left += " (maybe)"
			}
		}
		if i < len(got) {
			right = line(got[i])
		}
		fmt.Fprintf(&b, "    %-40q %q\n", left, right)
	}
	return b.String()
}
