// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"testing"
)

func TestEveryOperationRunsAndLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	for _, o := range operations {
		r, err := o.measureIn(dir, 3, 3, 7)
		if err != nil {
			t.Errorf("%s: %v", o.name, err)
		}
		if r.Op != o.name || r.Self <= 0 || r.Total <= 0 || r.Spread < 0 || r.Depth != 3 || r.Runs != 3 || r.Loops != 7 {
			t.Errorf("%+v", r)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestAnOperationThatFailsIsNoMeasurement(t *testing.T) {
	s, err := newScene(t.TempDir(), "x", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer s.remove()
	if err := os.Remove(s.file); err != nil {
		t.Fatal(err)
	}
	if r, err := operations[0].measure(s, 1, 1); !os.IsNotExist(err) {
		t.Errorf("%+v, %v", r, err)
	}
}
