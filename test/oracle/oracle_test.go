// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"testing"
	"time"
)

func TestNothingIsMissingExtraOrWrong(t *testing.T) {
	plant, ok := faults[*breakFlag]
	if !ok {
		t.Fatalf("no fault %q to plant", *breakFlag)
	}
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano()) % 1e9
	}
	t.Logf("seed %d", seed)
	s := stage(t)
	var total Report
	for ; total.Ops < *opsFlag; seed++ {
		plan := Generate(seed, *stepsFlag, s.Workers())
		report := play(t, s, plan, false, plant)
		total.add(report)
		if report.bad() {
			t.Errorf("episode of seed %d (-seed %d -ops 1 plays it alone): %s", seed, seed, &report)
			showShortest(t, s, plan, plant, &report)
			break
		}
	}
	t.Log(total.Counts())
}

func play(t *testing.T, s *Stage, plan Steps, serial bool, plant func() fault) Report {
	t.Helper()
	report, err := s.Play(plan, serial, plant())
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// showShortest shows the shortest plan that still fails in one of the same ways, played step by step if it
// fails so too, else by all workers beside each other, a few times over.
func showShortest(t *testing.T, s *Stage, plan Steps, plant func() fault, report *Report) {
	t.Helper()
	short, last, serial := shortest(t, s, plan, plant, report)
	how := "beside each other"
	if serial {
		how = "one after the other"
	}
	t.Errorf("%d steps, %s, are enough:\n%s%s", len(short), how, short, &last)
}

func shortest(t *testing.T, s *Stage, plan Steps, plant func() fault, report *Report) (short Steps, last Report, serial bool) {
	t.Helper()
	first := play(t, s, plan, true, plant)
	serial = first.like(report)
	fails := func(some Steps) bool {
		for range 3 {
			r := play(t, s, some, serial, plant)
			if r.like(report) {
				last = r
				return true
			}
			if serial {
				break
			}
		}
		return false
	}
	return Shrink(plan, fails, *triesFlag), last, serial
}

// An oracle that finds no fault where there is one would prove nothing.
func TestEachPlantedFaultIsFoundAndShortened(t *testing.T) {
	for name, found := range map[string]func(Report) bool{
		"drop":      func(r Report) bool { return r.Kinds["missing unlink"] },
		"dup":       func(r Report) bool { return r.Kinds["extra mkdir"] },
		"swapdev":   func(r Report) bool { return r.Kinds["wrong create dev"] },
		"stalepath": func(r Report) bool { return len(r.Wrong) > 0 },
	} {
		t.Run(name, func(t *testing.T) {
			s := stage(t)
			for seed := uint64(1); seed <= 20; seed++ {
				plan := Generate(seed, *stepsFlag, s.Workers())
				report := play(t, s, plan, false, faults[name])
				if !found(report) {
					continue
				}
				short, last, _ := shortest(t, s, plan, faults[name], &report)
				if len(short) > 8 || !last.like(&report) {
					t.Errorf("found, but %d steps are left:\n%s%s", len(short), short, &last)
				}
				return
			}
			t.Error("not found")
		})
	}
}
