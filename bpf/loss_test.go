// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
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
// lost add up to the last one, what arrives is whole and in order, and after
// that the stream is as if nothing had been.
func TestWhatIsLostIsTold(t *testing.T) {
	const n = 20000
	dir := makeDir(t, t.TempDir(), "watched")
	b := openSized(t, 1024, []event.Op{event.OpCreate}, dir)
	if err := actor("many", dir, strconv.Itoa(n)).Run(); err != nil {
		t.Fatal(err)
	}
	came, lost := untilQuiet(t, b, dir)
	if came+lost != n || lost == 0 {
		t.Errorf("%d came, %d told lost, of %d", came, lost, n)
	}
	if c := counters(b.objects, int(trampolinesHookHOOK_OPEN)); c.Emitted != came || c.LostRing != lost {
		t.Errorf("%d came and the kernel sent %d; %d told lost and it counted %d", came, c.Emitted, lost, c.LostRing)
	}
	t.Logf("PROOF loss: %d came, %d told lost, of %d", came, lost, n)
	if err := actor("steps", step("create", filepath.Join(dir, "after"))).Run(); err != nil {
		t.Fatal(err)
	}
	var e event.Event
	if err := b.Next(&e, time.Now().Add(20*time.Second)); err != nil || string(e.File.HostPath) != filepath.Join(dir, "after") {
		t.Errorf("after the loss: %v %s, %v", e.Op, e.File.HostPath, err)
	}
}

// untilQuiet reads until nothing comes for longer than losses take to be told,
// and checks that each file comes once and in order.
func untilQuiet(t *testing.T, b *Backend, dir string) (came, lost uint64) {
	t.Helper()
	last := -1
	for {
		var e event.Event
		err := b.Next(&e, time.Now().Add(3*lookEvery))
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return came, lost
		case err != nil:
			t.Fatal(err)
		case e.Op == event.OpLost:
			if string(e.Lost.Reason) != "ring_full" {
				t.Errorf("%d lost for %s", e.Lost.Count.V, e.Lost.Reason)
			}
			lost += e.Lost.Count.V
			continue
		}
		number, err := strconv.Atoi(filepath.Base(string(e.File.HostPath)))
		if err != nil || number <= last || filepath.Dir(string(e.File.HostPath)) != dir {
			t.Errorf("%s came after number %d", e.File.HostPath, last)
		}
		last = number
		came++
	}
}

func init() { actors["many"] = many }
