// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"

	"github.com/falco-fim/fim/watch"
)

// Mount is one mount of the host, as /proc/…/mountinfo has it.
type Mount struct {
	Dev   uint64 // as st_dev
	Root  string // directory of the filesystem that is mounted
	Point string // where, on the host
	// FSType is the filesystem's name, "ext4".
	FSType string
}

// seeder helps the programs with the seeds, which they make themselves by
// surveys of the host's mounts (src/survey.h): it has one made where none is
// without it, works out the joins that a survey lacked, and takes seeds away that
// are out of use.
type seeder struct {
	objects    *objects
	dfa        *watch.DFA
	containers bool   // the root directory of each overlay counts as the host's
	shipped    uint32 // states up to here are in the kernel
	pairs      map[trampolinesPair]bool
	whole      bool              // the next survey is to take nothing from those before
	sum        uint64            // over the seeds that were looked at last
	sown       uint32            // and how many had ever been added
	stuck      map[uint32]uint64 // threads that were moving something, and since when
}

// maxSurveys is how many surveys may follow each other because each lacked a
// join. What one lacks after that is unknown to the kernel, and Go decides.
const maxSurveys = 16

// refresh takes the host's mounts as they are now. If the seeds are the same as
// before it reads none: a task preempted in a map call of bpf(2) keeps the kernel
// from running probes.
func (s *seeder) refresh() error {
	for range maxSurveys {
		if err := s.survey(); err != nil {
			return err
		}
		c, err := s.control()
		if err != nil || c.Sum == s.sum && c.Sown == s.sown && c.Lacks == [2]uint32{} {
			return err
		}
		var more bool
		err = undisturbed(func() (err error) {
			if more, err = s.supply(c); err != nil || more {
				return err
			}
			s.sum, s.sown = c.Sum, c.Sown
			return s.sweep(c)
		})
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// Surveys that are overtaken are tried so many times, a pause between each two.
const (
	surveyTries = 100
	surveyPause = time.Millisecond
)

// wholeEvery is after how many surveys one is made that takes nothing from those
// before, so that directories that were above a mountpoint once are no longer
// taken for such.
const wholeEvery = 1024

var errUnsettled = errors.New("the host's mounts could not be looked at: they kept changing, or are more than 32,768")

// survey has a survey made that sees all that is mounted now.
func (s *seeder) survey() error {
	for range surveyTries {
		c, err := s.control()
		if err != nil {
			return err
		}
		var whole uint64
		if s.whole || c.Survey-c.Whole >= wholeEvery {
			whole = 1
		}
		if err := run(s.objects, armSurvey, whole); err != nil {
			return err
		}
		if c, err = s.control(); err != nil || c.Asked == c.Done {
			s.whole = s.whole && err != nil
			return err
		}
		time.Sleep(surveyPause)
	}
	return errUnsettled
}

// resettle makes the survey that programs asked for and did not get done among
// themselves, or a whole one in any case, after a program was skipped. Where none
// can be made everything stays unknown.
func (s *seeder) resettle(skipped bool) error {
	c, err := s.control()
	if err != nil || c.Asked == c.Done && !skipped {
		return err
	}
	s.whole = s.whole || skipped
	err = s.refresh()
	if errors.Is(err, errUnsettled) {
		err = s.unstick()
	}
	return err
}

// unstick ends moves that have lasted since it was last called: the return of a
// function takes microseconds, and was not seen if the kernel skipped a program.
func (s *seeder) unstick() error {
	var tid uint32
	var move trampolinesMove
	var errs []error
	stuck := map[uint32]uint64{}
	all := s.objects.table("moving").Iterate()
	for all.Next(&tid, &move) {
		stuck[tid] = move.Since
		if s.stuck[tid] == move.Since {
			errs = append(errs, run(s.objects, armArrive, uint64(tid)))
		}
	}
	s.stuck = stuck
	return errors.Join(append(errs, all.Err())...)
}

// each calls f with each seed; of one that is out of use ok is false.
func (s *seeder) each(survey uint32, f func(address uint64, row *trampolinesSeed, state uint32, ok bool)) error {
	var address uint64
	var row trampolinesSeed
	all := s.objects.table("seeds").Iterate()
	for all.Next(&address, &row) {
		sight := row.Sights[survey&1]
		f(address, &row, sight.State, sight.Survey == survey)
	}
	if err := all.Err(); err != nil {
		return fmt.Errorf("read the seeds: %w", err)
	}
	return nil
}

// supply sends the kernel the joins that it needs: of two states of one directory
// that the last survey met, and of each state with each seed inside a filesystem,
// where a path has a state of its own. more says that another survey would come
// to something better. Where joins would be too many the kernel answers "unknown"
// and Go decides.
func (s *seeder) supply(c trampolinesSettings) (more bool, err error) {
	var made joins
	more = s.join(&made, c.Lacks[0], c.Lacks[1])
	err = s.each(c.Survey, func(_ uint64, row *trampolinesSeed, state uint32, ok bool) {
		if ok && row.Bind != 0 {
			s.joinAll(&made, state)
		}
	})
	if err != nil {
		return false, err
	}
	if s.containers { // where climbs pass an overlay's root directory
		s.joinAll(&made, s.dfa.Start())
	}
	return more, s.send(&made)
}

// joins are pairs of states and what each makes.
type joins struct {
	pairs  []trampolinesPair
	states []uint32
}

// join adds that of two states, if it was never made.
func (s *seeder) join(made *joins, a, b uint32) bool {
	p := trampolinesPair{A: min(a, b), B: max(a, b)}
	if p.A == p.B || p.A == watch.Dead || s.pairs[p] || len(s.pairs) >= maxJoins {
		return false
	}
	s.pairs[p] = true
	made.pairs, made.states = append(made.pairs, p), append(made.states, s.dfa.Join(p.A, p.B))
	return true
}

// joinAll adds those of a state with each.
func (s *seeder) joinAll(made *joins, state uint32) {
	if state == unknown {
		return
	}
	end := s.dfa.First() + uint32(s.dfa.Len())
	for n := s.dfa.First(); n < end; n++ {
		s.join(made, n, state)
	}
}

func (s *seeder) send(made *joins) error {
	if err := ship(s.objects, s.dfa, s.shipped); err != nil {
		return err
	}
	s.shipped = s.dfa.First() + uint32(s.dfa.Len())
	if err := update(s.objects.table("joins"), made.pairs, made.states); err != nil {
		return fmt.Errorf("write the automaton's joins: %w", err)
	}
	return nil
}

// follow sends the joins that a directory needs which was moved out with a state.
func (s *seeder) follow(inode uint64, dev uint32) error {
	return undisturbed(func() error {
		var note trampolinesFollowed
		err := s.objects.table("followed").Lookup(trampolinesInodeKey{Ino: inode, Dev: dev}, &note)
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			return nil // gone meanwhile
		}
		if err != nil {
			return fmt.Errorf("read what is followed: %w", err)
		}
		var made joins
		s.joinAll(&made, note.State)
		return s.send(&made)
	})
}

// unknown is the state of what the kernel cannot tell (src/automaton.h).
const unknown = ^uint32(0)

// sweep drops the seeds that are out of use.
func (s *seeder) sweep(c trampolinesSettings) error {
	var old []uint64
	err := s.each(c.Survey, func(address uint64, _ *trampolinesSeed, _ uint32, ok bool) {
		if !ok {
			old = append(old, address)
		}
	})
	for _, address := range old {
		err = errors.Join(err, run(s.objects, armDrop, address))
	}
	return err
}

// What the program "arm" is asked to do (src/fim.bpf.c).
const (
	armOwn    = 0
	armBump   = 1
	armSurvey = 2
	armDrop   = 3
	armArrive = 4
	armInode  = 5
	armForget = 6
)

// run runs the program "arm" in this thread.
func run(o *objects, what uint64, with ...uint64) error {
	context := [4]uint64{what}
	copy(context[1:], with)
	if _, err := o.program("arm").Run(&ebpf.RunOptions{Context: context}); err != nil {
		return fmt.Errorf("run a BPF program (needs kernel 5.10): %w", err)
	}
	return nil
}

func (s *seeder) control() (c trampolinesSettings, err error) {
	err = s.objects.variable("control").Get(&c)
	return c, err
}

// bump voids all tags. A program does it, so that it is one atomic step among
// those of renames.
func (s *seeder) bump() error { return run(s.objects, armBump) }
