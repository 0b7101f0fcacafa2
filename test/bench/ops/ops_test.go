// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func testPlace(t *testing.T, depth int) place {
	at := place{dir: filepath.Join(t.TempDir(), "tree"), depth: depth}
	at.aside = filepath.Join(filepath.Dir(at.dir), "aside")
	for _, dir := range []string{at.dir, at.aside} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return at
}

func TestEveryOperationRunsAndLeavesNothingBehind(t *testing.T) {
	at := testPlace(t, 3)
	for _, o := range operations {
		r, err := o.run(at, passes{rounds: 3, loops: 7})
		if err != nil {
			t.Errorf("%s: %v", o.name, err)
		}
		if r.Op != o.name || r.Insns <= 0 || r.Total <= 0 || r.Spread < 0 || r.Depth != 3 || r.Ops != 28 {
			t.Errorf("%+v", r)
		}
	}
	for _, dir := range []string{at.dir, at.aside} {
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("left in %s: %v, %v", dir, left, err)
		}
	}
}

func TestStepsHappenBelowTheOperationsName(t *testing.T) {
	s, err := newScene(testPlace(t, 4), "open_read")
	if err != nil {
		t.Fatal(err)
	}
	defer s.remove()
	below, err := filepath.Rel(s.dir, s.file)
	if parts := strings.Split(below, "/"); err != nil || len(parts) != 5 || !strings.HasPrefix(parts[0], "open_read-") {
		t.Errorf("the file is at %s (%v), want it 4 directories deep below open_read-*", below, err)
	}
	if _, err := os.Stat(s.file); err != nil {
		t.Error(err)
	}
}

func TestWhatComesBeforeAStepIsNotMeasured(t *testing.T) {
	dear := func() unix.Errno {
		for range 100 {
			unix.Getppid()
		}
		return 0
	}
	nothing := func() unix.Errno { return 0 }
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	clocks, err := cheapest(nothing)
	if err != nil {
		t.Fatal(err)
	}
	without, err := apart(dear, nothing, clocks, 200)
	if err != nil {
		t.Fatal(err)
	}
	with, err := apart(nothing, dear, clocks, 200)
	if err != nil || without.self >= with.self {
		t.Errorf("%v before the steps, %v in them, %v", without, with, err)
	}
}

func TestAnOperationThatFailsIsNoMeasurement(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s, err := newScene(testPlace(t, 1), "x")
	if err != nil {
		t.Fatal(err)
	}
	defer s.remove()
	if err := os.Remove(s.file); err != nil {
		t.Fatal(err)
	}
	for _, o := range []operation{operations[0], operations[len(operations)-1]} {
		if r, err := o.measure(s, passes{rounds: 1, loops: 1}); !os.IsNotExist(err) {
			t.Errorf("%s: %+v, %v", o.name, r, err)
		}
	}
}
