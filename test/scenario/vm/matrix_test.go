// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/falco-fim/fim/test/scenario"
	"github.com/falco-fim/fim/test/vm/gotest"
)

func TestEachScriptOfAPlanIsInOneGuest(t *testing.T) {
	k := guest{"6.12", []run{{"tmpfs", `.*`}, {"ext4", `a|c\.d`}, {"xfs", `none`}}}
	var scripts []scenario.Script
	for name, watch := range map[string]string{"a": "$W", "b": "--failed $W", "c.d": "$W $O", "cxd": "$W --exclude $O"} {
		scripts = append(scripts, scenario.Script{Name: name, Text: []byte("mkdir etc\nwatch " + watch + "\n")})
	}
	slices.SortFunc(scripts, func(a, b scenario.Script) int { return strings.Compare(a.Name, b.Name) })
	for _, row := range []struct {
		share int
		want  string
	}{
		{beginning + 3, `[{6.12 [{tmpfs a|c\.d} {ext4 a}]} {6.12 [{ext4 c\.d} {tmpfs cxd}]} {6.12 [{tmpfs b}]}]`},
		{1000, `[{6.12 [{tmpfs a|c\.d|cxd|b} {ext4 a|c\.d}]}]`},
	} {
		if got := fmt.Sprint(k.parts(scripts, row.share)); got != row.want {
			t.Errorf("share %d: got  %s\nwant %s", row.share, got, row.want)
		}
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
