// SPDX-License-Identifier: Apache-2.0

package source

import (
	"slices"
	"sync/atomic"

	"github.com/falco-fim/fim/event"
)

// Counter is one number that a stream keeps. It only grows.
type Counter struct {
	// Name is made of lower-case letters and underscores; Falco shows it as
	// falcosecurity_plugins_fim_<name>_total.
	Name string
	// Help is one line for people.
	Help  string
	Value uint64
}

// Malformed is the name of the counter of a replay's lines that are no events.
const Malformed = "malformed"

// counter indexes counterTable.
type counter int

const (
	delivered counter = iota
	lostEvents
	lostUncounted
	malformedLines
	backendFailures

	counterEnd
)

// counterTable is the one place for the counters of a stream: Falco's metrics,
// the summary of `fim watch` and the documentation come from it. The counts by
// operation and those of the backend follow it in [Stream.Stats].
var counterTable = [counterEnd]Counter{
	delivered:       {Name: "events", Help: "events delivered"},
	lostEvents:      {Name: "lost", Help: "events lost, where their number is known"},
	lostUncounted:   {Name: "lost_uncounted", Help: "times that an unknown number of events was lost"},
	malformedLines:  {Name: Malformed, Help: "lines of a replayed file that are no events"},
	backendFailures: {Name: "backend_failures", Help: "times that the backend failed to open or stopped"},
}

// Counters are the numbers of one stream. They are written by the thread that
// reads the stream and may be read from any other.
type Counters struct {
	values [counterEnd]atomic.Uint64
	byOp   [256]atomic.Uint64
}

func (c *Counters) add(i counter, n uint64) { c.values[i].Add(n) }

// event counts an event that goes out.
func (c *Counters) event(e *event.Event) {
	c.add(delivered, 1)
	c.byOp[e.Op].Add(1)
	switch {
	case e.Op != event.OpLost:
	case e.Lost.Count.Known:
		c.add(lostEvents, e.Lost.Count.V)
	default:
		c.add(lostUncounted, 1)
	}
}

// rows appends the counters as they stand.
func (c *Counters) rows(dst []Counter) []Counter {
	for i, row := range counterTable {
		row.Value = c.values[i].Load()
		dst = append(dst, row)
	}
	for _, op := range event.Ops() {
		dst = append(dst, Counter{
			Name:  "events_" + op.String(),
			Help:  "events delivered with operation " + op.String(),
			Value: c.byOp[op].Load(),
		})
	}
	return dst
}

// sum adds rows to those of the same name in total, which it returns with the
// rows that were new.
func sum(total, rows []Counter) []Counter {
	for _, row := range rows {
		i := slices.IndexFunc(total, func(t Counter) bool { return t.Name == row.Name })
		if i < 0 {
			total = append(total, row)
		} else {
			total[i].Value += row.Value
		}
	}
	return total
}
