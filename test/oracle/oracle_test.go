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
	s := stage(t, available(t))
	began := time.Now()
	var total Report
	found := map[string]int{}
	for ; total.Ops < *opsFlag; seed++ {
		plan := Generate(seed, *stepsFlag, s.Workers())
		episode := play(t, s, plan, false)
		report := episode.Judge(plant())
		total.add(report)
		if report.bad() {
			t.Errorf("episode of seed %d (-seed %d -ops 1 plays it alone): %s", seed, seed, &report)
			showShortest(t, s, plan, plant, &report)
			break
		}
		findFaults(episode, found)
	}
	t.Logf("%s, in %s", total.Counts(), time.Since(began).Round(time.Second))
	t.Logf("expected by operation: %v", total.By)
	t.Logf("episodes in which a planted fault was found: %v", found)
	for _, op := range []string{"mount", "umount"} { // few of the steps
		if total.By[op] == 0 && total.Ops >= enough && !t.Failed() {
			t.Errorf("no %s was ever expected", op)
		}
	}
	for name := range faults {
		if name != "" && found[name] == 0 && total.Ops >= enough && !t.Failed() {
			t.Errorf("what %q does to the events was never found", name)
		}
	}
}

// enough operations meet each fault.
const enough = 2000

// findFaults plants each fault in the events of an episode that was right, and counts
// those that are found: an oracle that finds nothing would prove nothing.
func findFaults(e *Episode, found map[string]int) {
	for name, plant := range faults {
		if report := e.Judge(plant()); report.bad() {
			found[name]++
		}
	}
}

func play(t *testing.T, s *Stage, plan Steps, serial bool) *Episode {
	t.Helper()
	episode, err := s.Play(plan, serial)
	if err != nil {
		t.Fatal(err)
	}
	return episode
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
	first := play(t, s, plan, true).Judge(plant())
	serial = first.like(report)
	fails := func(some Steps) bool {
		for range 3 {
			r := play(t, s, some, serial).Judge(plant())
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

func TestEachPlantedFaultIsFoundAndShortened(t *testing.T) {
	for name, found := range map[string]func(Report) bool{
		"drop":      func(r Report) bool { return r.Kinds["missing unlink"] },
		"dup":       func(r Report) bool { return r.Kinds["extra mkdir"] },
		"swapdev":   func(r Report) bool { return r.Kinds["wrong create dev"] },
		"stalepath": func(r Report) bool { return len(r.Wrong) > 0 },
	} {
		t.Run(name, func(t *testing.T) {
			s := stage(t, available(t)[:1]) // one will do: many episodes are played
			for seed := uint64(1); seed <= 20; seed++ {
				plan := Generate(seed, *stepsFlag, s.Workers())
				report := play(t, s, plan, false).Judge(faults[name]())
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
