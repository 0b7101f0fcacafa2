// SPDX-License-Identifier: Apache-2.0

package source

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/mount"
	"github.com/falco-fim/fim/watch"
)

// remountsOf watches /w and /a/b/*.conf.
func remountsOf(t *testing.T) *remounts {
	t.Helper()
	set, err := watch.Compile(watch.Options{Include: patterns([]string{"/w", "/a/b/*.conf"})})
	if err != nil {
		t.Fatal(err)
	}
	// Nothing is at this root, so that no mount is asked what it shows.
	return newRemounts(setup{set: set, ops: event.Ops(), root: t.TempDir()})
}

// told returns what comes at once, with a backend of which nothing does.
func told(t *testing.T, r *remounts, now *mount.Table) string {
	t.Helper()
	nothing := func(*event.Event, time.Time) error { return os.ErrDeadlineExceeded }
	var all []string
	for {
		var e event.Event
		if err := r.next(&e, time.Time{}, func() *mount.Table { return now }, nothing); err != nil {
			return strings.Join(all, ", ")
		}
		all = append(all, fmt.Sprintf("%s %s by %d", e.Op, e.File.HostPath, e.Proc.Pid))
	}
}

func TestWhatComesAndGoesInTheMountTableIsTold(t *testing.T) {
	const w, n, x = "30 20 0:30 / /w rw - tmpfs t rw\n", "31 30 0:31 / /w/n rw - tmpfs t rw\n", "32 20 0:32 / /x rw - tmpfs t rw\n"
	for _, row := range []struct{ name, before, now, want string }{
		{"nothing", w, w, ""},
		{"a mount on a watched directory", "", w, "mount /w by 0"},
		{"one beneath", w, w + n, "mount /w/n by 0"},
		{"one beside", w, w + x, ""},
		{"one above what a pattern names", "", "33 20 0:33 / /a rw - tmpfs t rw\n", "mount /a by 0"},
		{"one on the directory that the pattern names files of", "", "33 20 0:33 / /a/b rw - tmpfs t rw\n", "mount /a/b by 0"},
		{"one on a name that begins alike", "", "33 20 0:33 / /a/bc rw - tmpfs t rw\n33 20 0:33 / /w2 rw - tmpfs t rw\n", ""},
		{"two that go, the last first", w + n, "", "umount /w/n by 0, umount /w by 0"},
		{"one that is replaced", w, "34 20 0:34 / /w rw - tmpfs t rw\n", "umount /w by 0, mount /w by 0"},
		{"one that is moved", w, "30 20 0:30 / /w/m rw - tmpfs t rw\n", "umount /w by 0, mount /w/m by 0"},
		{"another with the number of the first", w, "30 20 0:40 / /w rw - xfs x rw\n", "umount /w by 0, mount /w by 0"},
		{"options that change", w, "30 20 0:30 / /w ro - tmpfs t ro\n", ""},
	} {
		r := remountsOf(t)
		if got := told(t, r, table(t, 0, 0, row.before).Table); got != "" {
			t.Errorf("%s: of what was there before: %s", row.name, got)
		}
		if got := told(t, r, table(t, 0, 0, row.now).Table); got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

// Of a backend that tells who mounts, an event waits for that, and comes before what
// was done there.
func TestAMountWaitsForWhoDidIt(t *testing.T) {
	const w = "30 20 0:30 / /w rw - tmpfs t rw\n"
	r := remountsOf(t)
	now := table(t, 0, 0, "").Table
	soon := bootNow()
	backend := []func(e *event.Event) error{
		func(e *event.Event) error { e.Op, e.Boot = event.OpCreate, soon; return nil }, // from before the table
		func(e *event.Event) error { // the mount is told of, and what was done there
			r.by(event.OpMount, 30, soon+1, &event.Process{Pid: 7})
			e.Op, e.Boot = event.OpUnlink, soon+2
			return nil
		},
		func(e *event.Event) error { e.Op, e.Boot = event.OpRename, soon+3; return nil }, // of who mounts next nobody tells
		func(*event.Event) error { return os.ErrDeadlineExceeded },
	}
	r.pending = func() bool { return len(backend) > 1 }
	r.attached = func(int) uint64 { return soon + 1 }
	var got []string
	next := func() error {
		var e event.Event
		err := r.next(&e, time.Time{}, func() *mount.Table { return now }, func(e *event.Event, _ time.Time) error {
			one := backend[0]
			backend = backend[1:]
			return one(e)
		})
		if err == nil {
			got = append(got, fmt.Sprintf("%s by %d at %d", e.Op, e.Proc.Pid, max(e.Boot, soon)-soon))
		}
		return err
	}
	r.look(now)
	now = table(t, 0, 0, w).Table
	for range 3 {
		_ = next()
	}
	now = table(t, 0, 0, "").Table
	for next() == nil {
	}
	want := "[create by 0 at 0 mount by 7 at 1 unlink by 0 at 2 umount by 0 at 0 rename by 0 at 3]"
	if fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// Who mounts may be heard of before a table is looked at that was read earlier, and
// has the mount whose number it was then.
func TestWhoMountsIsNotForgottenForAnOlderTable(t *testing.T) {
	const beside, w = "30 20 0:32 / /x rw - tmpfs t rw\n", "30 20 0:30 / /w rw - tmpfs t rw\n"
	r := remountsOf(t)
	r.pending = func() bool { return false }
	look := func(text string, heard bool) string {
		var e event.Event
		now := table(t, 0, 0, "").Table
		err := r.next(&e, time.Time{}, func() *mount.Table { return now }, func(*event.Event, time.Time) error {
			if heard {
				r.by(event.OpMount, 30, bootNow(), &event.Process{Pid: 7})
			}
			now = table(t, 0, 0, text).Table
			return os.ErrDeadlineExceeded
		})
		return fmt.Sprintf("%s %s by %d, %v", e.Op, e.File.HostPath, e.Proc.Pid, err)
	}
	_ = look("", false)
	_ = look(beside, true)
	if got, want := look(w, false), "mount /w by 7, <nil>"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Numbers of mounts are used again at once: who did something to one that nobody is
// told of did nothing to the next.
func TestWhoIsNotTakenForTheNextMountOfThatNumber(t *testing.T) {
	const beside, w = "30 20 0:32 / /x rw - tmpfs t rw\n", "30 20 0:30 / /w rw - tmpfs t rw\n"
	r := remountsOf(t)
	r.pending = func() bool { return false }
	// The table is read first, then the backend tells who it was.
	look := func(text string, op event.Op, pid uint64) string {
		var e event.Event
		at := bootNow()
		err := r.next(&e, time.Time{}, func() *mount.Table { return table(t, 0, 0, text).Table }, func(*event.Event, time.Time) error {
			r.by(op, 30, at, &event.Process{Pid: pid, Tid: pid})
			r.outcome(pid, false)
			return os.ErrDeadlineExceeded
		})
		if err != nil {
			return ""
		}
		return fmt.Sprintf("%s %s by %d", e.Op, e.File.HostPath, e.Proc.Pid)
	}
	got := []string{
		look("", event.OpMount, 1), look(beside, event.OpUmount, 1),
		look(w, event.OpMount, 2), look("", event.OpUmount, 3),
	}
	if want := []string{"", "", "mount /w by 2", "umount /w by 3"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Who mounted something that nobody was told of did not mount what has its number now.
func TestWhoMountedBeforeTheTableWithoutItDidNotMountIt(t *testing.T) {
	r := remountsOf(t)
	r.pending, r.until = func() bool { return true }, bootNow
	r.by(event.OpMount, 30, bootNow()-2*uint64(attaching), &event.Process{Pid: 7})
	r.look(table(t, 0, 0, "").Table)
	if got := told(t, r, table(t, 0, 0, "30 20 0:30 / /w rw - tmpfs t rw\n").Table); got != "mount /w by 0" {
		t.Errorf("got %q", got)
	}
}

// Between two looks at the table a number may have been that of several mounts. Who attached
// and detached which of them is told by when the one was attached that the table has.
func TestWhoMountedTheLastOfThatNumberMountedWhatTheTableHas(t *testing.T) {
	const w = "30 20 0:30 / /w rw - tmpfs t rw\n"
	for _, row := range []struct {
		name     string
		attached uint64 // after the beginning; 0: not known
		want     string
	}{
		{"it is known when", 3, "open, open, mount by 3, open, open, umount by 4"},
		{"it is not known when", 0, "open, open, open, mount by 3, open, umount by 4"},
		{"of who did it nothing is known", 4, "open, open, open, mount by 0, open, umount by 4"},
	} {
		r := remountsOf(t)
		soon := bootNow()
		r.attached = func(int) uint64 { return min(row.attached, 1)*soon + row.attached }
		attached := func(pid, at uint64) { r.by(event.OpMount, 30, at, &event.Process{Pid: pid}) }
		detached := func(pid, at uint64) {
			r.by(event.OpUmount, 30, at, &event.Process{Pid: pid, Tid: pid})
			r.outcome(pid, false)
		}
		now := table(t, 0, 0, "").Table
		backend := []func(){
			func() { attached(1, soon+1) },
			func() { detached(2, soon+2) },
			func() { attached(3, soon+3) },
			func() {},
		}
		r.pending = func() bool { return len(backend) > 0 }
		r.look(now)
		now = table(t, 0, 0, w).Table
		var got []string
		drain := func() {
			for {
				var e event.Event
				err := r.next(&e, time.Time{}, func() *mount.Table { return now }, func(e *event.Event, _ time.Time) error {
					if len(backend) == 0 {
						return os.ErrDeadlineExceeded
					}
					backend[0]()
					backend = backend[1:]
					e.Op, e.Boot = event.OpOpen, soon+4
					return nil
				})
				if err != nil {
					return
				}
				text := e.Op.String()
				if e.Op != event.OpOpen {
					text = fmt.Sprintf("%s by %d", e.Op, e.Proc.Pid)
				}
				got = append(got, text)
			}
		}
		drain()
		detached(4, bootNow())
		attached(5, bootNow())
		detached(6, bootNow())
		now = table(t, 0, 0, "").Table
		drain()
		if text := strings.Join(got, ", "); text != row.want {
			t.Errorf("%s: got %s, want %s", row.name, text, row.want)
		}
	}
}

// However many mounts had the number since, the first who detached one since it came did that.
func TestWhoUnmountedIsNotCrowdedOut(t *testing.T) {
	r := remountsOf(t)
	r.pending = func() bool { return false }
	r.look(table(t, 0, 0, "30 20 0:30 / /w rw - tmpfs t rw\n").Table)
	for pid := uint64(1); pid <= 3*maxSame; pid++ {
		r.by(event.OpUmount, 30, bootNow(), &event.Process{Pid: pid, Tid: pid})
		r.outcome(pid, false)
	}
	if got := told(t, r, table(t, 0, 0, "").Table); got != "umount /w by 1" {
		t.Errorf("got %q", got)
	}
	if n := len(r.who[change{event.OpUmount, 30}]); n > maxSame {
		t.Errorf("keeps %d", n)
	}
}

// What the backend tells keeps its order, also among what waits for a mount that is not told
// yet.
func TestNothingOvertakesWhatWaitsBehindAMount(t *testing.T) {
	const w, n = "30 20 0:30 / /w rw - tmpfs t rw\n", "31 30 0:31 / /w/n rw - tmpfs t rw\n"
	for _, row := range []struct {
		name, before, after, want string
		heard                     func(r *remounts, at uint64)
	}{
		{
			"the one before which another is known", "", w + n, "mount by 7, mount by 0, create, unlink, rename",
			func(r *remounts, at uint64) { r.by(event.OpMount, 30, at, &event.Process{Pid: 7}) },
		},
		{
			"one that goes, of which the outcome is to come", n, w, "umount by 8, mount by 7, create, unlink, rename",
			func(r *remounts, at uint64) {
				r.by(event.OpUmount, 31, at, &event.Process{Pid: 8, Tid: 8})
				r.by(event.OpMount, 30, at, &event.Process{Pid: 7})
			},
		},
	} {
		r := remountsOf(t)
		before := table(t, 0, 0, row.before).Table
		r.look(before)
		soon := bootNow()
		r.attached = func(id int) uint64 { return map[int]uint64{30: soon}[id] }
		now := table(t, 0, 0, row.after).Table
		backend := []func() event.Op{
			func() event.Op { row.heard(r, soon); return event.OpCreate },
			func() event.Op { r.outcome(8, false); return event.OpUnlink },
			func() event.Op { return event.OpRename },
		}
		r.pending = func() bool { return len(backend) > 0 }
		var got []string
		for {
			var e event.Event
			err := r.next(&e, time.Time{}, func() *mount.Table { return now }, func(e *event.Event, _ time.Time) error {
				if len(backend) == 0 {
					return os.ErrDeadlineExceeded
				}
				e.Op, e.Boot = backend[0](), soon+1
				backend = backend[1:]
				return nil
			})
			if err != nil {
				break
			}
			text := e.Op.String()
			if e.Op == event.OpMount || e.Op == event.OpUmount {
				text = fmt.Sprintf("%s by %d", e.Op, e.Proc.Pid)
			}
			got = append(got, text)
		}
		if text := strings.Join(got, ", "); text != row.want {
			t.Errorf("%s: got %s, want %s", row.name, text, row.want)
		}
	}
}

// A mount that is in use is not detached; who detaches it afterwards did it. While it is
// not known what came of a try, and until the kernel has told, the event waits.
func TestWhoWasRefusedDidNotUnmount(t *testing.T) {
	const w = "30 20 0:30 / /w rw - tmpfs t rw\n"
	r := remountsOf(t)
	r.pending = func() bool { return false }
	now := table(t, 0, 0, w).Table
	step := func(heard func()) string {
		var e event.Event
		err := r.next(&e, time.Time{}, func() *mount.Table { return now }, func(*event.Event, time.Time) error {
			heard()
			return os.ErrDeadlineExceeded
		})
		if err != nil {
			return "-"
		}
		return fmt.Sprintf("%s by %d", e.Op, e.Proc.Pid)
	}
	tries := func(pid uint64) { r.by(event.OpUmount, 30, bootNow(), &event.Process{Pid: pid, Tid: pid}) }
	got := []string{step(func() { tries(7) })}
	tries(8)
	now = table(t, 0, 0, "").Table
	got = append(got, step(func() {}), step(func() { r.outcome(7, true) }), step(func() { r.outcome(8, false) }))
	if want := []string{"-", "-", "-", "umount by 8"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOperationsThatAreNotAskedForAreNotTold(t *testing.T) {
	r := remountsOf(t)
	r.ops = []event.Op{event.OpUmount}
	r.look(table(t, 0, 0, "").Table)
	r.look(table(t, 0, 0, "30 20 0:30 / /w rw - tmpfs t rw\n").Table)
	if got := told(t, r, table(t, 0, 0, "").Table); got != "umount /w by 0" {
		t.Errorf("got %q", got)
	}
}

// What never comes about would otherwise be kept for ever.
func TestWhoIsForgottenWhereNothingComesOfIt(t *testing.T) {
	r := remountsOf(t)
	for id := range 10 * maxActors {
		r.by(event.OpMount, id, 1, &event.Process{Pid: 7})
		r.by(event.OpUmount, id, 1, &event.Process{Pid: 7, Tid: uint64(id)})
	}
	if len(r.who) > maxActors || len(r.tries) > maxActors {
		t.Errorf("keeps %d and %d", len(r.who), len(r.tries))
	}
}
