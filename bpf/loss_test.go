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

// many creates and removes numbered files.
func many(args []string) error {
	n, err := strconv.Atoi(args[1])
	for i := range n {
		err = errors.Join(err, touch(fmt.Sprintf("%s/%d", args[0], i)))
	}
	return errors.Join(err, unix.Mkdir(filepath.Join(args[0], "end"), 0o755))
}

// Nobody reads while 20,000 files are made: what arrives and what is told to be
// lost add up.
func TestWhatIsLostIsTold(t *testing.T) {
	const n = 20000
	dir := makeDir(t, t.TempDir(), "watched")
	b := openSized(t, 1024, []event.Op{event.OpCreate}, dir)
	if err := actor("many", dir, strconv.Itoa(n)).Run(); err != nil {
		t.Fatal(err)
	}
	var came, lost uint64
	for came+lost < n {
		var e event.Event
		if err := b.Next(&e, time.Now().Add(20*time.Second)); err != nil {
			t.Fatalf("%d came, %d told lost, of %d: %v", came, lost, n, err)
		}
		if e.Op == event.OpLost {
			lost += e.Lost.Count.V
		} else {
			came++
		}
	}
	if came+lost != n || lost == 0 {
		t.Errorf("%d came, %d told lost, of %d", came, lost, n)
	}
	t.Logf("%d came, %d told lost", came, lost)
}

// busy makes n files from each of 8 threads in the watched directory, while as
// a SCHED_IDLE spammer on every CPU opens a file of its own in a loop: the
// kernel skips programs on trampolines while such a task sleeps inside one.
func busy(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	var done atomic.Bool
	var spam, work sync.WaitGroup
	for cpu := range runtime.NumCPU() {
		spam.Go(func() { spammer(cpu, args[2], &done) })
	}
	errs := make([]error, 8)
	for i := range errs {
		work.Go(func() {
			for j := range n {
				errs[i] = errors.Join(errs[i], touch(fmt.Sprintf("%s/%d.%d", args[0], i, j)))
			}
		})
	}
	work.Wait()
	done.Store(true)
	spam.Wait()
	return errors.Join(append(errs, unix.Mkdir(filepath.Join(args[0], "end"), 0o755))...)
}

func spammer(cpu int, file string, done *atomic.Bool) {
	runtime.LockOSThread()
	var set unix.CPUSet
	set.Set(cpu)
	_ = unix.SchedSetaffinity(0, &set)
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}, 0)
	for !done.Load() {
		if fd, err := unix.Open(file, unix.O_RDONLY, 0); err == nil {
			unix.Close(fd)
		}
	}
}

// On a kernel that preempts, with every CPU contended, nothing is missing.
func TestBusyThreadsHideNothing(t *testing.T) {
	n := 500
	if r, err := strconv.Atoi(os.Getenv("FIM_RACE_ROUNDS")); err == nil {
		n = r
	}
	root := t.TempDir()
	dir := makeDir(t, root, "watched")
	spam := filepath.Join(root, "spam")
	if err := os.WriteFile(spam, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	b := openBackend(t, []event.Op{event.OpCreate, event.OpUnlink, event.OpMkdir}, dir)
	cmd := actor("busy", dir, strconv.Itoa(n), spam)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var count [256]int
	for _, e := range drain(t, b, filepath.Join(dir, "end")) {
		count[e.Op]++
		if e.Op == event.OpLost {
			t.Errorf("lost %d: %s", e.Lost.Count.V, e.Lost.Reason)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if count[event.OpCreate] != 8*n || count[event.OpUnlink] != 8*n {
		t.Errorf("%d creates and %d unlinks of %d", count[event.OpCreate], count[event.OpUnlink], 8*n)
	}
	logStats(t, b)
}

func init() { actors["many"], actors["busy"] = many, busy }
