// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestAFileIsReachedByTheWatchedNamesThatItHasBesides(t *testing.T) {
	in, out, dir := ownName{0, "d/a"}, ownName{1, "a"}, ownName{0, "d"}
	id, other := fileID{ino: 1}, fileID{ino: 2}
	fact := func(op string, nlink uint64) Fact { return Fact{Op: op, File: Stat{Mode: unix.S_IFREG, Nlink: nlink}} }
	for name, after := range map[string]func(k *kin) bool{
		"linked":            func(*kin) bool { return true },
		"removed elsewhere": func(k *kin) bool { k.learn(fact("unlink", 2), id, 7, out, ownName{}); return true },
		"removed":           func(k *kin) bool { k.learn(fact("unlink", 2), id, 7, in, ownName{}); return false },
		"one name left":     func(k *kin) bool { k.learn(fact("unlink", 1), id, 7, out, ownName{}); return false },
		"renamed":           func(k *kin) bool { k.learn(fact("rename", 2), id, 7, out, in); return false },
		"renamed, and watched": func(k *kin) bool {
			k.learn(fact("rename", 2), id, 7, ownName{0, "b"}, in, ownName{0, "b"})
			return true
		},
		"replaced": func(k *kin) bool { k.learn(fact("rename", 1), other, 7, in, ownName{1, "x"}); return false },
		"in a moved directory": func(k *kin) bool {
			k.learn(Fact{Op: "rename", File: Stat{Mode: unix.S_IFDIR}}, other, 7, ownName{0, "e"}, dir)
			return false
		},
	} {
		var k kin
		k.learn(fact("link", 2), id, 7, out, in, in)
		if k.reaches(id, 8, out) || k.reaches(id, 7, in) {
			t.Errorf("%s: reached after something moved, or by the name that was used", name)
		}
		want := after(&k)
		if got := k.reaches(id, 7, out); got != want {
			t.Errorf("%s: reached: %v", name, got)
		}
	}
}
