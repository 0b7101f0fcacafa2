// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"slices"
	"testing"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/strays"
)

// Which flavour a kernel gets depends on how it was booted, and verifiers differ in what they
// refuse.
func TestEveryFlavourIsAcceptedWithAllThatCanBeAskedFor(t *testing.T) {
	skipWhereRefused(t)
	flavours := append(soundFlavours(readTraits()), "fentry")
	slices.Sort(flavours)
	for _, name := range slices.Compact(flavours) {
		t.Run(name, func(t *testing.T) {
			t.Setenv("FIM_FLAVOUR", name)
			openWith(t, func(o *Options) {
				o.Ops, o.RingKiB = event.Ops(), 1024
				o.Failed, o.Containers = true, true
				o.Follow, o.Stat = strays.New(), func([]byte) (dev, inode uint64) { return 0, 0 }
				o.Who, o.Remounting = func(int, uint64, bool) {}, func(Remounting) {}
				o.Learn = func(uint64, *event.Event) {}
			}, t.TempDir())
		})
	}
}
