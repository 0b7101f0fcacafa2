// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// run is one call of the test binary in a guest.
type run struct {
	filesystem string
	scripts    string // regular expression of whole names
}

// of returns those of the scripts that the run is about.
func (r run) of(scripts []string) []string {
	wanted := regexp.MustCompile(`^(` + r.scripts + `)$`)
	return slices.DeleteFunc(slices.Clone(scripts), func(s string) bool { return !wanted.MatchString(s) })
}

// share is how many scripts a guest gets: more of them make a guest that the others
// wait for at the end, fewer boot more often.
const share = 50

// parts divides what a kernel has to show among guests of at most so many scripts.
func (g guest) parts(scripts []string, share int) (parts []guest) {
	left := 0 // of the last part's share
	for _, r := range g.runs {
		for _, s := range r.of(scripts) {
			if left == 0 {
				parts, left = append(parts, guest{kernel: g.kernel}), share
			}
			last := &parts[len(parts)-1]
			last.add(r.filesystem, regexp.QuoteMeta(s))
			left--
		}
	}
	return parts
}

func (g *guest) add(filesystem, script string) {
	if n := len(g.runs); n > 0 && g.runs[n-1].filesystem == filesystem {
		g.runs[n-1].scripts += "|" + script
		return
	}
	g.runs = append(g.runs, run{filesystem, script})
}

// guest is what one kernel has to show, or a part of that.
type guest struct {
	kernel string
	runs   []run
}

// every is all scripts.
const every = `.*`

// few is what kernels differ in most: the functions that programs hang on and
// what these are given.
const few = `attributes-(acl|mode|xattr)|container-(bind|overlay)|create-write-close|exec|follow-(directory|ends|file)|link-alias-every-operation|` +
	`mknod-kinds|mount-(bind-every-operation|lazy|moved|over|propagated)|overlay-(merged|upper)|refused-(rmdir-told|told)|rename-exchange|` +
	`unlink-open-file|write-(fallocate|mmap|open-truncate)`

// lacking is what tmpfs got late or never: inode flags, mounts that map owners,
// and names that the kernel forgets.
const lacking = `attributes-(flags.*|idmapped)|open-by-handle-cold|refused-flags`

// layered is what overlayfs does in other ways than the filesystem of its layers.
const layered = `create-write-close|link-inside|names-every-operation|rename-(exchange|inside)|write-open-truncate`

// subvolumes are what btrfs does by itself, by functions that kernels differ in.
const subvolumes = `subvolume-.*`

// lettered is what vfat, which few scripts know, does in its own way.
const lettered = `vfat-.*|create-write-close|rename-(inside|over)|rmtree|tree-moved-(in|out)|write-(mmap|truncate)`

// landing is what every change runs; `make test-vm` runs every script on tmpfs, the
// whole is `make test-all`.
var landing = []guest{
	{"6.12", []run{{"tmpfs", every}, {"ext4", lacking}, {"btrfs", subvolumes + `|identity-(inode-reused|snapshot.*)|write-reflink`}, {"vfat", lettered}, {"overlay", layered}}},
	{"5.10", []run{{"tmpfs", few}, {"ext4", `attributes-flags`}, {"btrfs", subvolumes}}},
	{"6.1", []run{{"tmpfs", few}, {"ext4", `attributes-flags`}, {"btrfs", subvolumes}}},
	{"7.2", []run{{"tmpfs", few}, {"ext4", `attributes-flags`}, {"btrfs", subvolumes}, {"xfs", `write-reflink`}}},
}

// filesystems are those of the whole matrix.
var filesystems = []string{"tmpfs", "ext4", "xfs", "btrfs"}

// extent is how much of the matrix runs.
type extent int

const (
	each  extent = iota // what every change runs
	whole               // every script on every kernel
	all                 // and on every filesystem
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
			g.runs = nil
			for _, fs := range filesystems {
				g.runs = append(g.runs, run{fs, every})
			}
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

// command is the guest's line for r. A guest under emulation is slow, so its
// patience is long: it decides only how soon a failure is told.
func (r run) command() string {
	return fmt.Sprintf("./scenario.test -test.v=test2json -test.timeout 2h -fim ./fim -fim-deaf ./fim-deaf -actor ./actor"+
		" -together -test.parallel 100 -backend ebpf -fs %s -patience 5m -test.run 'TestScenarios/ebpf/%s/^(%s)$' 2>&1 || code=1\n", r.filesystem, r.filesystem, r.scripts)
}

// script is the guest's run.sh.
func (g guest) script() string {
	var b strings.Builder
	b.WriteString("code=0\nfor m in xfs btrfs vfat overlay loop; do modprobe $m; done\n")
	for _, r := range g.runs {
		b.WriteString(r.command())
	}
	b.WriteString("exit $code\n")
	return b.String()
}

// kernels are those of the matrix, the oldest first.
var kernels = []string{"5.10", "6.1", "6.12", "7.2"}
