// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"slices"
	"testing"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/watch"
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

// Programs that run for each read and write hang only where they are needed.
func TestAHookWaitsForAFilesystemThatNeedsIt(t *testing.T) {
	set, err := watch.Compile(watch.Options{Include: []watch.Pattern{{Glob: "/w"}}})
	if err != nil {
		t.Fatal(err)
	}
	mounted := func(rows ...string) (mounts []Mount) { // type and mountpoint in turn
		for i := 0; i < len(rows); i += 2 {
			mounts = append(mounts, Mount{FSType: rows[i], Point: rows[i+1]})
		}
		return mounts
	}
	for _, row := range []struct {
		function   string
		containers bool
		mounts     []Mount
		want       bool
	}{
		{"security_file_permission", false, mounted("ext4", "/", "btrfs", "/data"), false},
		{"security_file_permission", false, mounted("ext4", "/", "btrfs", "/w/data"), true},
		{"security_file_permission", false, mounted("ext4", "/", "overlay", "/w/m", "proc", "/proc"), false},
		{"security_file_permission", false, mounted("btrfs", "/data", "overlay", "/m"), false},
		{"security_file_permission", false, mounted("btrfs", "/data", "overlay", "/w/m"), true},
		{"security_file_permission", true, mounted("ext4", "/", "proc", "/proc"), false},
		{"security_file_permission", true, mounted("ext4", "/", "btrfs", "/data"), true},
		{"d_instantiate", true, mounted("ext4", "/", "btrfs", "/data"), false},
		{"d_instantiate", false, mounted("ext4", "/", "btrfs", "/w"), true},
	} {
		h := hooks[slices.IndexFunc(hooks, func(h hook) bool { return h.function == row.function })]
		if got := h.uses(&Options{Set: set, Containers: row.containers}, row.mounts); got != row.want {
			t.Errorf("%s, containers %v, %v: %v, want %v", row.function, row.containers, row.mounts, got, row.want)
		}
	}
}
