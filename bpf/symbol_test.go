// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"strings"
	"testing"
)

func TestASymbolIsFoundOrItsAbsenceExplained(t *testing.T) {
	const list = "ffffffff81000000 T my_rename_lock\nffffffff81000010 t rename_lock_x\nffffffffc0000020 d rename_lock\t[fs]\n"
	for _, row := range []struct {
		name, list string
		want       uint64
		err        error
	}{
		{"there", list + "ffffffff82a00040 d rename_lock\n", 0xffffffff82a00040, nil},
		{"not there", list, 0, errNoSymbol},
		{"two of that name, as after the last of all none is looked at", list + "ffffffff82a00040 d rename_lock\nffffffff82a00080 d rename_lock\n", 0xffffffff82a00040, nil},
		{"hidden", "0000000000000000 d rename_lock\n", 0, errHidden},
		{"empty", "", 0, errNoSymbol},
	} {
		got, err := symbols(strings.NewReader(row.list), []string{"rename_lock"})
		var address uint64
		if got != nil {
			address = got.address["rename_lock"]
		}
		if address != row.want || !errors.Is(err, row.err) {
			t.Errorf("%s: %#x, %v; want %#x, %v", row.name, address, err, row.want, row.err)
		}
	}
}

func TestAFunctionThatTheCompilerTookApartIsKnown(t *testing.T) {
	const list = "ffffffff81000000 t vfs_rmdir.part.0\nffffffff81000010 T vfs_unlink\nffffffff81000020 t x.isra.0\nffffffff82a00040 d rename_lock\n"
	got, err := symbols(strings.NewReader(list), []string{"rename_lock"})
	if err != nil || len(got.parted) != 1 || !got.parted["vfs_rmdir"] {
		t.Errorf("%+v, %v", got, err)
	}
}
