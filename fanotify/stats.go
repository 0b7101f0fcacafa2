// SPDX-License-Identifier: Apache-2.0

package fanotify

import "sync/atomic"

// Counter is one number that a group keeps; it only grows.
type Counter struct {
	Name  string // lower-case letters and underscores
	Help  string // one line for people
	Value uint64
}

type counter int

const (
	seen counter = iota
	emitted
	ignored
	own
	overflows
	unresolved
	doubts
	mountDoubts
	malformed
	forgotten
	lookups
	tableReads
	tableErrors

	counterEnd
)

// counterTable is the one place for the names of the counters.
var counterTable = [counterEnd]Counter{
	seen:        {Name: "fanotify_seen", Help: "events read from the kernel"},
	emitted:     {Name: "fanotify_emitted", Help: "events handed out"},
	ignored:     {Name: "fanotify_ignored", Help: "events of files that are not watched"},
	own:         {Name: "fanotify_own", Help: "events of this process itself, left out"},
	overflows:   {Name: "fanotify_overflows", Help: "times that the kernel's queue was full and events were lost"},
	unresolved:  {Name: "fanotify_unresolved", Help: "events in directories whose path could not be found, left out"},
	doubts:      {Name: "fanotify_doubts", Help: "events in directories that were renamed back and forth meanwhile"},
	mountDoubts: {Name: "fanotify_mount_doubts", Help: "events left out that only one of two mount tables shows at a watched place"},
	malformed:   {Name: "fanotify_malformed", Help: "events that could not be parsed"},
	forgotten:   {Name: "fanotify_forgotten", Help: "modified files forgotten before they were closed, for lack of room"},
	lookups:     {Name: "fanotify_lookups", Help: "directories looked up in the filesystem"},
	tableReads:  {Name: "fanotify_mount_changes", Help: "times that the mount table was read again"},
	tableErrors: {Name: "fanotify_mount_errors", Help: "times that a changed mount table could not be read"},
}

// Stats are the counters of a group.
type Stats struct{ values [counterEnd]atomic.Uint64 }

func (s *Stats) add(c counter, n uint64) { s.values[c].Add(n) }

// Stats returns the counters as they stand. It may be called from any thread,
// also after Close.
func (g *Group) Stats() []Counter {
	rows := counterTable
	for i := range rows {
		rows[i].Value = g.stats.values[i].Load()
	}
	return rows[:]
}
