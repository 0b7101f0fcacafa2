// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"flag"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// crowd lets scripts, on whatever filesystems, that watch with the same flags share one "fim watch", with the
// patterns of all of them: on an emulated machine loading the programs takes far
// longer than a script. Each script still begins in its own filesystem and does what
// comes before its watch on its own; then it waits for the others, and from there to
// its end it is the only one that acts. So every event in its turn is its own, and
// one that another script's pattern caused is extra.
//
// A script that fails takes its fim along: the next in turn starts another.
type crowd struct {
	limit int // scripts that run beside each other

	mu      sync.Mutex
	left    int     // scripts that have not ended
	waiting []*seat // for others, to share with
	group   []*seat // those that share now; the first one has the turn
	process *process
}

// seat is a script that has come to its command watch.
type seat struct {
	flags    string
	patterns []string
	// dir is where the script has its filesystems, marker what it settles with.
	dir, marker string
	turn        chan struct{} // closed when it begins
}

// newCrowd is for a test whose subtests' subtests are the scripts.
func newCrowd() *crowd {
	return &crowd{limit: flag.Lookup("test.parallel").Value.(flag.Getter).Get().(int)}
}

func newSeat(dir, marker string, words []string) *seat {
	flags, patterns := divide(words)
	return &seat{dir: dir, marker: marker, turn: make(chan struct{}), flags: strings.Join(flags, " "), patterns: patterns}
}

// words are what fim is started with for all seats, without their markers.
func words(seats []*seat) (all []string) {
	all = strings.Fields(seats[0].flags)
	for _, s := range seats {
		all = append(all, s.patterns...)
	}
	return all
}

// join returns when it is the script's turn, with a fim that watches for it.
func (c *crowd) join(r *run, args []string) (*watcher, error) {
	s := newSeat(r.dir, filepath.Join(r.dir, "marker"), args)
	c.mu.Lock()
	c.waiting = append(c.waiting, s)
	c.proceed()
	c.mu.Unlock()
	<-s.turn
	if c.process == nil || c.process.ended() {
		var markers []string
		for _, other := range c.group {
			markers = append(markers, other.marker)
		}
		var err error
		if c.process, err = startWatch(r.fim, r.backend, words(c.group), markers); err != nil {
			return &watcher{process: c.process}, err
		}
	}
	w := &watcher{process: c.process, marker: s.marker}
	_, err := w.settle(r.patience) // what the script before left behind
	w.all = nil
	return w, err
}

// proceed gives the turn to the next one; c.mu is held. Nobody begins before everyone
// who could share has come.
func (c *crowd) proceed() {
	if c.group == nil && len(c.waiting) > 0 && len(c.waiting) == min(c.limit, c.left) {
		flags := c.waiting[0].flags
		for _, s := range c.waiting {
			if s.flags == flags {
				c.group = append(c.group, s)
			}
		}
		c.waiting = slices.DeleteFunc(c.waiting, func(s *seat) bool { return s.flags == flags })
		close(c.group[0].turn)
	}
}

// last tells whether nobody needs the fim of the script that has the turn after it.
func (c *crowd) last() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.group) == 1
}

// pass ends the turn of a script.
func (c *crowd) pass() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.group = c.group[1:]; len(c.group) > 0 {
		close(c.group[0].turn)
		return
	}
	c.group, c.process = nil, nil
}

func (c *crowd) come() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left++
}

func (c *crowd) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left--
	c.proceed()
}

// sharing is a test whose subtests are scripts of a crowd. A subtest that runs beside
// others waits until all of them are known.
type sharing struct {
	*testing.T
	crowd *crowd
}

func (s sharing) Run(name string, f func(testscript.T)) {
	s.T.Run(name, func(t *testing.T) {
		s.crowd.come()
		defer s.crowd.leave()
		f(sharing{t, s.crowd})
	})
}

func (s sharing) Verbose() bool { return testing.Verbose() }
