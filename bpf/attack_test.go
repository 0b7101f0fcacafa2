// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

const (
	busyThreads = 8
	// burst is how many rounds the actor works between two rests. In the rests
	// the spammer runs; waking, the actor preempts it wherever it stands.
	burst = 20
)

// changes are what one round of work does to the watched directory, in order.
// Each is committed in another kernel function.
var changes = []event.Op{
	event.OpCreate, event.OpModify, event.OpClose, event.OpRename, event.OpLink, event.OpSymlink,
	event.OpMkdir, event.OpUnlink, event.OpUnlink, event.OpUnlink, event.OpRmdir,
}

// change makes one round of changes under names that begin with prefix.
func change(prefix string) error {
	f, g, h, s, d := prefix+"f", prefix+"g", prefix+"h", prefix+"s", prefix+"d"
	fd, err := unix.Open(f, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("create %s: %w", f, err)
	}
	_, err = unix.Write(fd, []byte("x"))
	return errors.Join(err, unix.Close(fd), unix.Rename(f, g), unix.Link(g, h), unix.Symlink("x", s), unix.Mkdir(d, 0o700),
		unix.Unlink(g), unix.Unlink(h), unix.Unlink(s), unix.Rmdir(d))
}

// attack is the load: busy threads make rounds of changes on whatever CPU they
// get, and an actor makes as many, in bursts, on the last CPU, which it shares
// with a SCHED_IDLE spammer. That one needs no privilege, and on a kernel that
// preempts it sleeps inside a program most of the time. Arguments: watched
// directory, rounds per thread, what the spammer spams, a file outside.
func attack(args []string) error {
	dir, what := args[0], spams[args[2]]
	rounds, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	cpu := runtime.NumCPU() - 1
	var done atomic.Bool
	var spam, work sync.WaitGroup
	var spamErr error
	errs := make([]error, busyThreads+1)
	spam.Go(func() { spamErr = spammer(cpu, args[3], what, &done) })
	for i := range errs {
		work.Go(func() { errs[i] = labour(dir, i, rounds, cpu) })
	}
	work.Wait()
	done.Store(true)
	spam.Wait()
	return errors.Join(errors.Join(errs...), spamErr, unix.Mkdir(filepath.Join(dir, "end"), 0o755))
}

// labour is one thread's work; number 0 is the actor.
func labour(dir string, number, rounds, cpu int) error {
	runtime.LockOSThread()
	if number == 0 {
		if err := pin(cpu); err != nil {
			return err
		}
	}
	for i := range rounds {
		if number == 0 && i%burst == 0 {
			time.Sleep(time.Millisecond)
		}
		if err := change(fmt.Sprintf("%s/%d.%d", dir, number, i)); err != nil {
			return err
		}
	}
	return nil
}

// pin binds this thread to one CPU.
func pin(cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("sched_setaffinity to CPU %d: %w", cpu, err)
	}
	return nil
}

// spams are what a spammer does in a loop, given its own file.
var spams = map[string]func(file string) error{
	"opens": func(file string) error {
		fd, err := unix.Open(file, unix.O_RDONLY, 0)
		if err != nil {
			return err
		}
		return unix.Close(fd)
	},
	"maps": lookUp,
}

// spammer spams until done, scheduled only when nothing else wants its CPU. It
// fails if it could not become that: a spammer with a normal share of the CPU
// would prove nothing.
func spammer(cpu int, file string, spam func(string) error, done *atomic.Bool) error {
	runtime.LockOSThread()
	if err := pin(cpu); err != nil {
		return err
	}
	if err := unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}, 0); err != nil {
		return fmt.Errorf("sched_setattr to SCHED_IDLE: %w", err)
	}
	times := 0
	for ; !done.Load(); times++ {
		if err := spam(file); err != nil {
			return err
		}
	}
	if times == 0 {
		return errors.New("the spammer never ran")
	}
	return nil
}

// tally counts events by operation until the actor's last.
type tally struct {
	of            [256]int
	lost, skipped uint64 // told by lost events: in all, and by the kernel's guard
}

// count reads until the actor is over and nothing has come since: the event of
// its last change may be among the skipped, and losses are told last.
func count(t *testing.T, b *Backend, end string, over <-chan struct{}) (n tally) {
	t.Helper()
	for quiet := false; ; {
		var e event.Event
		err := b.Next(&e, time.Now().Add(2*lookEvery))
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if quiet {
				return n
			}
			quiet = isClosed(over)
		case err != nil:
			t.Fatal(err)
		case e.Op == event.OpLost:
			n.lost += e.Lost.Count.V
			if string(e.Lost.Reason) == "program_skipped" {
				n.skipped += e.Lost.Count.V
			}
		case string(e.File.HostPath) != end:
			n.of[e.Op]++
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// missing says how many of the changes did not arrive.
func (n *tally) missing(t *testing.T, rounds int) (missing int) {
	t.Helper()
	var want [256]int
	for _, op := range changes {
		want[op] += rounds
	}
	for op := range want {
		if d := want[op] - n.of[op]; d != 0 {
			t.Logf("%v: %d of %d", event.Op(op), n.of[op], want[op])
			missing += max(d, -d)
		}
	}
	return missing
}

// underAttack opens a backend of one flavour, attacks it, and says what
// arrived. The programs hang before the load starts.
func underAttack(t *testing.T, flavour, spams string, rounds int, before func(*Backend)) (*Backend, tally) {
	t.Helper()
	root := t.TempDir()
	dir, file := makeDir(t, root, "watched"), filepath.Join(root, "spam")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	b := openAs(t, flavour, 64*1024, changes, dir)
	if before != nil {
		before(b)
	}
	cmd := actor("attack", dir, strconv.Itoa(rounds), spams, file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	var failed error
	go func() { failed = cmd.Wait(); close(over) }()
	n := count(t, b, filepath.Join(dir, "end"), over)
	if <-over; failed != nil {
		t.Fatal(failed)
	}
	return b, n
}

// On a kernel that preempts, with every CPU contended and a task that sleeps
// inside the programs, nothing is missing in the flavours that are chosen there.
func TestAnAttackOnTheGuardHidesNothing(t *testing.T) {
	skipWhereRefused(t)
	own := readTraits()
	// The rounds of all threads together make at least so many changes.
	total := scale(5_000, 100_000)
	rounds := (total + len(changes)*(busyThreads+1) - 1) / (len(changes) * (busyThreads + 1))
	for _, name := range soundFlavours(own) {
		t.Run(name, func(t *testing.T) {
			b, n := underAttack(t, name, "opens", rounds, nil)
			if missing := n.missing(t, rounds*(busyThreads+1)); missing != 0 || n.lost != 0 {
				t.Errorf("%d changes missing or too many, %d told lost", missing, n.lost)
			}
			t.Logf("PROOF attack %s: %d changes by %d threads, preemptible %v (%s)", name, rounds*(busyThreads+1)*len(changes), busyThreads+1, own.preemptible, own.because)
			logStats(t, b)
		})
	}
}

// soundFlavours are those that must miss nothing on this kernel.
func soundFlavours(own traits) []string {
	rows := []string{"kprobe"}
	if own.lsm {
		rows = append(rows, "lsm")
	}
	if !own.preemptible {
		rows = append(rows, "fentry")
	}
	return rows
}

func init() { actors["attack"] = attack }
