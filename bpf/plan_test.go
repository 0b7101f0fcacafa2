// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"slices"
	"testing"

	"github.com/falco-fim/fim/event"
)

func TestTheFlavourIsTheOneThatTheKernelNeverSkips(t *testing.T) {
	security := &hook{function: "security_file_open", when: atResult, lsm: "file_open"}
	plain := &hook{function: "d_move"}
	for _, row := range []struct {
		name   string
		traits traits
		hook   *hook
		hasLSM bool
		want   []string
	}{
		{"LSM", traits{lsm: true, preemptible: true}, security, true, []string{"lsm_security_file_open"}},
		{"LSM without that hook", traits{lsm: true}, security, false, []string{"fexit_security_file_open"}},
		{"no LSM, no preemption", traits{}, security, true, []string{"fexit_security_file_open"}},
		{"no LSM, preemption", traits{preemptible: true}, security, true, []string{"kretprobe_security_file_open", "kprobe_security_file_open"}},
		{"not a security hook", traits{lsm: true}, plain, false, []string{"fentry_d_move"}},
		{"not a security hook, preemption", traits{lsm: true, preemptible: true}, plain, false, []string{"kprobe_d_move"}},
	} {
		if got := row.hook.programs(row.traits.choose(row.hook, row.hasLSM)); !slices.Equal(got, row.want) {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}

func TestTheModeTellsWhetherTheKernelPreempts(t *testing.T) {
	for list, want := range map[string]bool{
		"none (voluntary) full": false, "(none) voluntary full": false, "none voluntary (full)": true,
		"full (lazy)": true, "none voluntary full (lazy)": true, "": true,
	} {
		if got := modePreempts(list + "\n"); got != want {
			t.Errorf("%q: %v, want %v", list, got, want)
		}
	}
}

// Each program that the table can ask for exists in one of the objects.
func TestEveryHookHasItsPrograms(t *testing.T) {
	trampolines, err := loadTrampolines()
	if err != nil {
		t.Fatal(err)
	}
	probes, err := loadProbes()
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range hooks {
		flavours := []flavour{fentryFlavour, kprobeFlavour}
		if h.twin {
			flavours = flavours[:1]
		}
		if h.probe {
			flavours = flavours[1:]
		}
		if h.lsm != "" {
			flavours = append(flavours, lsmFlavour)
		}
		for _, f := range flavours {
			for _, name := range h.programs(f) {
				if trampolines.Programs[name] == nil && probes.Programs[name] == nil {
					t.Errorf("no object has %s", name)
				}
			}
		}
	}
}

func TestAnOperationPlansOnlyWhatItNeeds(t *testing.T) {
	wanted := func(op event.Op) (functions []string) {
		for _, h := range hooks {
			if h.wanted([]event.Op{op}) {
				functions = append(functions, h.function)
			}
		}
		return functions
	}
	if got := wanted(event.OpMkdir); !slices.Contains(got, "vfs_mkdir") || !slices.Contains(got, "d_move") || slices.Contains(got, "file_modified") {
		t.Errorf("mkdir plans %v", got)
	}
}
