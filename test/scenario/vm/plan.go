// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/falco-fim/fim/test/scenario"
)

// run is what a filesystem is for.
type run struct {
	filesystem string
	scripts    string // regular expression of whole names
}

// of returns those of the scripts that the run is about. What makes a filesystem of its own
// says nothing of the one beneath, and runs on tmpfs alone.
func (r run) of(scripts []scenario.Script) []scenario.Script {
	wanted := regexp.MustCompile(`^(` + r.scripts + `)$`)
	return slices.DeleteFunc(slices.Clone(scripts), func(s scenario.Script) bool {
		own := strings.HasSuffix(s.Name, "-vfat") && r.filesystem != "tmpfs"
		return own || !wanted.MatchString(s.Name)
	})
}

// To begin to watch takes as long in a guest as so many scripts, and scripts that watch
// with the same flags can share that. A guest gets scripts of so much: more of them make
// a guest that the others wait for at the end, fewer boot and begin more often.
const (
	beginning = 12
	share     = 90
)

// parts divides what a kernel has to show among guests, by what scripts watch with and then
// by filesystem and name.
func (g guest) parts(scripts []scenario.Script, share int) (parts []guest) {
	type step struct{ filesystem, script, flags string }
	var steps []step
	for _, r := range g.runs {
		for _, s := range r.of(scripts) {
			steps = append(steps, step{r.filesystem, s.Name, s.Flags()})
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return strings.Compare(a.flags, b.flags) })
	var last *guest
	left, flags := 0, ""
	for _, s := range steps {
		if left <= 0 {
			parts = append(parts, guest{kernel: g.kernel})
			last, left, flags = &parts[len(parts)-1], share-beginning, s.flags
		}
		if s.flags != flags {
			left, flags = left-beginning, s.flags
		}
		last.add(s.filesystem, regexp.QuoteMeta(s.script))
		left--
	}
	return parts
}

func (g *guest) add(filesystem, script string) {
	i := slices.IndexFunc(g.runs, func(r run) bool { return r.filesystem == filesystem })
	if i < 0 {
		g.runs = append(g.runs, run{filesystem, script})
		return
	}
	g.runs[i].scripts += "|" + script
}

// guest is what one kernel has to show, or a part of that.
type guest struct {
	kernel string
	runs   []run
}

// every is all scripts.
const every = `.*`

// few is what kernels differ in most: the functions that programs hang on and
// what these are given. Scripts with flags of their own are dear, see beginning.
const few = `attributes-(acl|mode|xattr)|container-(bind|overlay)|create-write-close|exec|follow-ends|link-alias-ends|` +
	`link-beside|mknod-kinds|mount-(bind-view|bound-file|lazy|moved|over|propagated|refused)|overlay-(merged|upper)|refused-(rmdir-told|told)|` +
	`rename-exchange|unlink-open-file|write-(fallocate|mmap|open-truncate)`

// lacking is what tmpfs got late or never: inode flags, mounts that map owners,
// and names that the kernel forgets.
const lacking = `attributes-(flags.*|idmapped)|open-by-handle-cold|refused-flags`

// layered is what overlayfs does in other ways than the filesystem of its layers.
const layered = `create-write-close|link-(inside|alias-.*)|names-every-operation|rename-(exchange|inside)|write-open-truncate`

// subvolumes are what btrfs does by itself, by functions that kernels differ in.
const subvolumes = `subvolume-(above-a-pattern|made-and-removed)`

// lettered is what vfat, which few scripts know, does in its own way.
const lettered = `vfat-.*|create-write-close|rename-(inside|over)|rmtree|tree-moved-(in|out)|write-(mmap|truncate)`

// landing is what every change runs; `make test-vm` runs every script on tmpfs, the
// whole is `make test-all`.
var landing = []guest{
	{"6.12", []run{{"tmpfs", every}, {"ext4", lacking}, {"btrfs", `subvolume-.*|identity-(inode-reused|snapshot.*)|link-alias-gone|write-reflink`}, {"vfat", lettered}, {"overlay", layered}}},
	{"5.10", []run{{"tmpfs", few}, {"ext4", `attributes-flags`}, {"btrfs", subvolumes}}},
	{"6.1", []run{{"tmpfs", few}, {"ext4", `attributes-flags`}, {"btrfs", subvolumes}}},
	{"7.2", []run{{"tmpfs", few}, {"ext4", `attributes-flags`}, {"btrfs", subvolumes}, {"xfs", `write-reflink`}}},
}

// stored is what depends on how a filesystem stores files: contents, attributes, numbers
// and what the kernel forgets and finds again.
const stored = `attributes-.*|create-.*|identity-(inode-reused|snapshot.*)|link-(alias-gone|inside)|mknod-kinds|names-every-operation|open-by-handle.*|` +
	`refused-(flags|told)|rename-(exchange|inside|over)|unlink-open-file|write-.*`

// matrixRuns are the whole: every script on what has all that filesystems have, and on what keeps
// nothing on a disk; on the others what they may do in other ways.
var matrixRuns = []run{
	{"tmpfs", every}, {"ext4", every}, {"xfs", stored}, {"btrfs", stored + `|subvolume-.*`}, {"vfat", lettered}, {"overlay", layered},
}

// extent is how much of the matrix runs.
type extent int

const (
	each  extent = iota // what every change runs
	whole               // every script on every kernel
	all                 // and on every filesystem that it may differ on
)

// choose returns the plan that the flags ask for: "" for a kernel or for
// scripts leaves them as they are.
func choose(much extent, kernel, scripts string) ([]guest, error) {
	var plan []guest
	for _, g := range landing {
		if kernel != "" && g.kernel != kernel {
			continue
		}
		switch g.runs = slices.Clone(g.runs); much {
		case whole:
			g.runs[0].scripts = every // which is on tmpfs
		case all:
			g.runs = slices.Clone(matrixRuns)
		}
		for i := range g.runs {
			if scripts != "" {
				g.runs[i].scripts = scripts
			}
		}
		plan = append(plan, g)
	}
	if plan == nil {
		return nil, fmt.Errorf("no kernel %q in the plan", kernel)
	}
	return plan, nil
}

// script is the guest's run.sh. A guest under emulation is slow, so its patience is long:
// it decides only how soon a failure is told.
func (g guest) script() string {
	var names, tests []string
	for _, r := range g.runs {
		names = append(names, r.filesystem)
		tests = append(tests, fmt.Sprintf("TestScenarios/ebpf/%s/^(%s)$", r.filesystem, r.scripts))
	}
	return fmt.Sprintf("for m in xfs btrfs vfat overlay loop; do modprobe $m; done\n"+
		"./scenario.test -test.v=test2json -test.timeout 2h -fim ./fim -fim-deaf ./fim-deaf -actor ./actor"+
		" -together -test.parallel 100 -backend ebpf -fs %s -patience 15m -test.run '%s' 2>&1\n", strings.Join(names, ","), strings.Join(tests, "|"))
}

// kernels are those of the matrix, the oldest first.
var kernels = []string{"5.10", "6.1", "6.12", "7.2"}
