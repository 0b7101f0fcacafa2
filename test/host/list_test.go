// SPDX-License-Identifier: Apache-2.0

package host

import (
	"path/filepath"
	"testing"

	"github.com/falco-fim/fim/event"
)

// Falco compares a list with in, which wants each of its values among those that
// the rule names, and with intersects, which wants one.
func TestRulesAskForFlagsAndModes(t *testing.T) {
	flags := func(names ...string) (list [][]byte) {
		for _, name := range names {
			list = append(list, []byte(name))
		}
		return list
	}
	events := []*event.Event{
		{Op: event.OpOpen, Time: 1, Flags: flags("O_WRONLY", "O_TRUNC")},
		{Op: event.OpCreate, Time: 2, Flags: flags("O_RDWR", "O_CREAT", "O_EXCL")},
		{Op: event.OpOpen, Time: 3, Flags: flags("O_RDONLY")},
		{Op: event.OpChattr, Time: 4, Flags: flags("FS_IMMUTABLE_FL", "FS_NODUMP_FL"), Old: event.Old{Flags: flags("FS_NODUMP_FL")}},
		{Op: event.OpChattr, Time: 5, Old: event.Old{Flags: flags("FS_IMMUTABLE_FL")}},
		{Op: event.OpChmod, Time: 6, File: event.File{Type: event.TypeFile, Mode: event.Known(0o4755)}, Old: event.Old{Mode: event.Known(0o755)}},
		{Op: event.OpChmod, Time: 7, File: event.File{Type: event.TypeFile, Mode: event.Known(0o755)}, Old: event.Old{Mode: event.Known(0o4755)}},
		{Op: event.OpModify, Time: 8},
	}
	rules := []Rule{
		{"truncates", "fs.flags intersects (O_TRUNC, O_CREAT) and fs.created = false and fs.is_open_write = true", "%fs.flags"},
		{"only these", "fs.flags in (O_CREAT, O_EXCL, O_RDWR, O_CLOEXEC)", "%fs.op %fs.flags %fs.created"},
		{"reads", "fs.is_open_read = true and fs.is_open_write = false", "%fs.flags"},
		{"made immutable", "fs.op = chattr and fs.flags intersects (FS_IMMUTABLE_FL)", "%fs.old.flags>%fs.flags"},
		{"no longer immutable", "fs.op = chattr and fs.old.flags intersects (FS_IMMUTABLE_FL) and not fs.flags intersects (FS_IMMUTABLE_FL)", "%fs.old.flags>%fs.flags"},
		{"made setuid", "fs.op = chmod and fs.is_setuid = true", "%fs.old.mode>%fs.mode"},
		{"a mode is a string", "fs.mode = 0755", "%fs.old.mode>%fs.mode"},
		{"nothing is known", "not fs.flags exists and not fs.mode exists and not fs.old.flags exists", "%fs.op %fs.flags %fs.created"},
	}
	want := []string{
		"truncates: (O_WRONLY,O_TRUNC)",
		"only these: create (O_RDWR,O_CREAT,O_EXCL) true",
		"reads: (O_RDONLY)",
		"made immutable: (FS_NODUMP_FL)>(FS_IMMUTABLE_FL,FS_NODUMP_FL)",
		"no longer immutable: (FS_IMMUTABLE_FL)><NA>",
		"made setuid: 0755>4755",
		"a mode is a string: 4755>0755",
		"nothing is known: modify <NA> <NA>",
	}
	alertsAre(t, events, rules, want)
}

// alertsAre replays events and compares what the rules say of them.
func alertsAre(t *testing.T, events []*event.Event, rules []Rule, want []string) {
	t.Helper()
	var lines []byte
	for _, e := range events {
		lines = append(event.AppendText(lines, e), '\n')
	}
	file := filepath.Join(t.TempDir(), "events.jsonl")
	writeFile(t, file, string(lines))
	got, err := Replay(t, Options{Rules: rules, Open: "file://" + file, All: true})
	if err != nil {
		t.Fatal(err)
	}
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("missing: %s", want[i])
		case i >= len(want) || got[i].Rule+": "+got[i].Text != want[i]:
			t.Errorf("got %s: %s, want %q", got[i].Rule, got[i].Text, want[min(i, len(want)-1)])
		}
	}
}
