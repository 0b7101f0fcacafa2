// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"fmt"
	"slices"
	"strings"
)

// run is one call of the test binary in a guest.
type run struct {
	filesystem string
	scripts    string // regular expression of whole names
}

// guest is what one kernel has to show.
type guest struct {
	kernel string
	runs   []run
}

// every is all scripts.
const every = `.*`

// chosen is what the kernel of the current Debian stable shows on each landing; the
// rest is left to the whole matrix, since a script takes ten seconds of a processor
// in a guest. It covers each operation once, with everything that kernels differ in:
// the functions that a program attaches to, their parameters (renaming, making,
// linking, access lists), who calls the file_modified family, what a refused
// attempt passes, and mounts.
var chosen = strings.Join([]string{
	`attributes-(acl|acl-default|mode|owner|owner-strips-setid|times|xattr)`,
	`create-(empty|tmpfile.*|uring\.worker|write-close)`, `events-carry-the-file`, `exec`, `identity-two-filesystems`,
	`late-moves`, `link-(inside|out)`, `mkdir-(reused|three-deep)`, `mknod-kinds`, `mmap-kinds`, `mount-bind-(later|view)`,
	`mount-(other-filesystem|over)`, `names-beyond-any-path`, `names-every-operation\.(plain|invalid-utf8)`, `open-flags`,
	`outside-is-silent`, `refused-(attributes|before-any-hook|for-nobody|noreplace|open-and-exec|protected-hardlink|rmdir-told|told|truncate)`,
	`rename-(exchange|inside|over|whiteout)`, `rmdir-child`, `symlink-create`, `tree-moved-in`, `unlink-open-file`, `who-alive`,
	`write-(between-files.*|fallocate|ftruncate-then-write|inherited-descriptor|mmap|open-truncate|overwrite|splice|truncate)`,
	`write-(path-text\.writev|pwrite\.pwritev2|uring\.worker)`,
}, "|")

// few is what kernels differ in most: the functions that programs hang on and
// what these are given.
const few = `attributes-(acl|mode|xattr)|create-write-close|exec|link-out|mknod-kinds|mmap-kinds|mount-(bind-view|over)|` +
	`names-every-operation\.invalid-utf8|refused-(attributes|rmdir-told|told)|rename-exchange|tree-moved-in|unlink-open-file|` +
	`write-(fallocate|mmap|open-truncate)`

// lacking is what tmpfs got late or never: inode flags, mounts that map owners,
// and names that the kernel forgets.
const lacking = `attributes-(flags.*|idmapped)|open-by-handle-cold|refused-flags`

// landing is what every change runs; the whole is `make test-all`.
var landing = []guest{
	{"6.12", []run{{"tmpfs", chosen}, {"ext4", lacking}, {"btrfs", `write-reflink`}}},
	{"5.10", []run{{"tmpfs", few}, {"ext4", `attributes-flags`}}},
	{"6.1", []run{{"tmpfs", few}, {"ext4", `attributes-flags`}}},
	{"7.2", []run{{"tmpfs", few}, {"ext4", `attributes-flags`}, {"xfs", `write-reflink`}}},
}

// filesystems are those of the whole matrix.
var filesystems = []string{"tmpfs", "ext4", "xfs", "btrfs"}

// choose returns the plan that the flags ask for: "" for a kernel or for
// scripts leaves them as they are.
func choose(all bool, kernel, scripts string) ([]guest, error) {
	var plan []guest
	for _, g := range landing {
		if kernel != "" && g.kernel != kernel {
			continue
		}
		g.runs = slices.Clone(g.runs)
		if all {
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
		" -backend ebpf -fs %s -patience 2m -test.run 'TestScenarios/ebpf/%s/^(%s)$' 2>&1 || code=1\n", r.filesystem, r.filesystem, r.scripts)
}

// script is the guest's run.sh.
func (g guest) script() string {
	var b strings.Builder
	b.WriteString("code=0\nfor m in xfs btrfs loop; do modprobe $m; done\n")
	for _, r := range g.runs {
		b.WriteString(r.command())
	}
	b.WriteString("exit $code\n")
	return b.String()
}

// kernels are those of the matrix, the oldest first.
var kernels = []string{"5.10", "6.1", "6.12", "7.2"}
