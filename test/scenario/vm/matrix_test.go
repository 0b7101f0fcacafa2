// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"fmt"
	"testing"

	"github.com/falco-fim/fim/test/vm/gotest"
)

func TestEachScriptOfAPlanIsInOneGuest(t *testing.T) {
	k := guest{"6.12", []run{{"tmpfs", `.*`}, {"ext4", `a|c\.d`}, {"xfs", `none`}}}
	got := fmt.Sprint(k.parts([]string{"a", "b", "c.d", "cxd"}, 3))
	const want = `[{6.12 [{tmpfs a|b|c\.d}]} {6.12 [{tmpfs cxd} {ext4 a|c\.d}]}]`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestTheMatrixHasARowPerScriptAndAColumnPerKernelAndFilesystem(t *testing.T) {
	var m matrix
	m.add("6.12", []gotest.Result{{Name: "tmpfs/a", Verdict: gotest.Passed}, {Name: "ext4/b", Verdict: gotest.Failed}})
	m.add("5.10", []gotest.Result{{Name: "tmpfs/b", Verdict: gotest.Skipped}, {Name: "tmpfs/c", Verdict: gotest.Unending}})
	const want = `script  5.10 tmpfs  6.12 tmpfs  6.12 ext4
a       .           ok          .
b       skip        .           FAIL
c       FAIL        .           .
`
	if got := m.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
