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
		{"hidden", "0000000000000000 d rename_lock\n", 0, errHidden},
		{"empty", "", 0, errNoSymbol},
	} {
		if got, err := symbol(strings.NewReader(row.list), "rename_lock"); got != row.want || !errors.Is(err, row.err) {
			t.Errorf("%s: %#x, %v; want %#x, %v", row.name, got, err, row.want, row.err)
		}
	}
}
