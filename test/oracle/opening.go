// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"path"
	"time"
)

// rearmed is when an open file that was told as modified may be told again; fim says
// "some seconds", which on a busy machine are not the same for both.
const rearmed = 3 * time.Second

// opening is what was told of an open file.
type opening struct {
	// modified is when it was last told as modified, changed when it was told as modified or
	// truncated first; zero if it was not.
	modified, changed time.Time
	// first is the size before the first change that was told.
	first int64
	// untold says that it was changed where nothing is watched, murky that this was
	// where a part of fim may have taken it as told.
	untold, murky bool
	// last is where it was when it was last told as modified, or changed where it was
	// doubted; sure says that nothing else may have been told since.
	last stand
	sure bool
}

// stand is how an open file stands to fim: its path in its filesystem, and the moment of
// the world, since a move or a mount may change what any path is taken for.
type stand struct {
	path  string
	turn  int
	fresh bool
}

// renamed tells whether the file has got another name: what was told of it then is not of it.
func (s stand) renamed(now stand) bool { return path.Base(s.path) != path.Base(now.path) }

// manner is how a fact is told, which depends on the backend.
type manner struct {
	// maybe says that it need not be told: that depends on the time that passed.
	maybe bool
	// again says that only who tells each write and each closing may tell this one.
	again bool
	// loose says that who cannot tell descriptors apart may tell it or not.
	loose bool
	// outside says that where it took place is not watched.
	outside bool
}

// note takes a fact in and returns how it is to be told: a change once for an open
// file, a closing where a change was told. Where it is not watched it may be doubted
// whether it was told.
func (o *opening) note(f *Fact, watched, doubted bool, at stand, now time.Time) manner {
	t := manner{maybe: f.Maybe, loose: f.Shared, outside: !watched}
	switch {
	case !f.Open || f.Op == "create":
	case f.Op == "close":
		o.closed(f, &t)
	case !watched:
		o.untold = true
		o.murky = o.murky || doubted && o.changed.IsZero()
		o.sure = false
		if doubted {
			o.last = at
		}
	default:
		o.changes(f, &t, at, now)
	}
	return t
}

// closed qualifies the closing of the file.
func (o *opening) closed(f *Fact, t *manner) {
	never := o.changed.IsZero()
	t.maybe = t.maybe || o.murky
	t.again = never && !o.murky
	t.loose = t.loose || never || o.untold
	if f.Old = o.first; o.murky {
		f.Old = unsized
	}
}

// changes qualifies a change of its content. A writing is told again under another name; where
// the name is the same and something else has changed it may be.
func (o *opening) changes(f *Fact, t *manner, at stand, now time.Time) {
	if o.changed.IsZero() {
		o.changed, o.first = now, f.Old
	}
	if f.Op != "modify" {
		return
	}
	if o.last != (stand{}) && !o.last.renamed(at) {
		t.again = o.sure && o.last == at && !at.fresh && now.Sub(o.modified) < rearmed
		t.maybe = t.maybe || !t.again
	}
	switch {
	case t.again:
	case t.maybe:
		o.sure = false
	default:
		o.last, o.sure, o.modified = at, true, now
	}
}
