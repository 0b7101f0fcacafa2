// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/falco-fim/fim/test/vm/gotest"
)

// matrix is what ran where: a row per script, a column per kernel and
// filesystem. Guests that run beside each other may add to it.
type matrix struct {
	mu    sync.Mutex
	cells map[cell]gotest.Verdict
}

type cell struct{ kernel, filesystem, script string }

func (m *matrix) add(kernel string, results []gotest.Result) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cells == nil {
		m.cells = map[cell]gotest.Verdict{}
	}
	for _, r := range results {
		fs, script, _ := strings.Cut(r.Name, "/")
		m.cells[cell{kernel, fs, script}] = r.Verdict
	}
}

// marks are the verdicts as a person reads them; "." is what did not run there.
var marks = map[gotest.Verdict]string{
	gotest.Passed: "ok", gotest.Failed: "FAIL", gotest.Unending: "FAIL", gotest.Skipped: "skip",
}

func (m *matrix) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	rows, columns := map[string]bool{}, map[cell]bool{}
	for c := range m.cells {
		rows[c.script] = true
		columns[cell{kernel: c.kernel, filesystem: c.filesystem}] = true
	}
	heads := slices.SortedFunc(maps.Keys(columns), before)
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.TabIndent)
	line := func(words []string) { w.Write([]byte(strings.Join(words, "\t") + "\n")) }
	words := []string{"script"}
	for _, h := range heads {
		words = append(words, h.kernel+" "+h.filesystem)
	}
	line(words)
	for _, script := range slices.Sorted(maps.Keys(rows)) {
		words := []string{script}
		for _, h := range heads {
			words = append(words, m.mark(cell{h.kernel, h.filesystem, script}))
		}
		line(words)
	}
	w.Flush()
	return b.String()
}

func (m *matrix) mark(c cell) string {
	v, ran := m.cells[c]
	if !ran {
		return "."
	}
	return marks[v]
}

// before is the order of columns: that of the plan.
func before(a, b cell) int {
	if a.kernel != b.kernel {
		return slices.Index(kernels, a.kernel) - slices.Index(kernels, b.kernel)
	}
	place := func(fs string) int {
		return slices.IndexFunc(matrixRuns, func(r run) bool { return r.filesystem == fs })
	}
	return place(a.filesystem) - place(b.filesystem)
}
