// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"slices"
	"strings"
	"testing"

	"github.com/falco-fim/fim/extract"
)

// derived are the fields that show a payload member of another name.
var derived = map[string]string{
	"directory": "host_path", "filename": "host_path", "dev.major": "dev", "dev.minor": "dev",
	"is_open_read": "flags", "is_open_write": "flags", "created": "flags",
	"is_setuid": "mode", "is_setgid": "mode", "is_world_writable": "mode", "is_executable": "mode",
	"is_fresh": "old.mtime", "alias": "reason",
	"proc.exe": "proc.argv", "proc.args": "proc.argv", "proc.cmdline": "proc.argv",
	"proc.pname": "proc.aname", "proc.pexepath": "proc.aexepath", "proc.pcmdline": "proc.pargv", "proc.anames": "proc.aname",
	"user.euid": "user.uid", "group.egid": "group.gid", "container.id": "container.full_id",
}

// elsewhere are the fields that no script can ask a value of, and who does.
var elsewhere = map[string]string{
	"lost.count":  "the tests of the backends, which lose events",
	"lost.reason": "the tests of the backends, which lose events",
	"proc.pid.ts": "TestARunningProcessIsDescribedInFull: /proc tells a start in ticks since boot only",
}

// A field that no script asserts could be wrong, or never be there, and nobody
// would know.
func TestEveryFieldIsAssertedOnTheKernelSide(t *testing.T) {
	asserted := assertedOn(t, "ebpf")
	for _, f := range extract.Fields() {
		name := strings.TrimPrefix(strings.TrimPrefix(f.Name, "fs."), "raw.")
		if elsewhere[name] != "" {
			continue
		}
		member := name
		if of, ok := derived[name]; ok {
			member = of
		}
		if !asserted[member] {
			t.Errorf("%s: no script asserts %s=VALUE on the backend ebpf", f.Name, member)
		}
	}
}

// assertedOn returns the keys that a script wants a value of on a backend.
func assertedOn(t *testing.T, backend string) map[string]bool {
	t.Helper()
	scripts, err := Scripts()
	if err != nil {
		t.Fatal(err)
	}
	asserted := map[string]bool{}
	for _, s := range scripts {
		limits := Limits{}
		commands, _, _ := strings.Cut(string(s.Text), "\n-- ")
		for line := range strings.Lines(commands) {
			words, always := conditions(strings.Fields(line), backend)
			switch {
			case len(words) > 2 && words[0] == "cannot" && words[1] == backend && always:
				for _, what := range words[2:] {
					if err := limits.Declare(cannotTable(t), backend, what); err != nil {
						t.Fatalf("%s: %v", s.Name, err)
					}
				}
			case len(words) > 0 && words[0] == "expect":
				note(t, asserted, limits, words[1:])
			}
		}
	}
	return asserted
}

// conditions takes those in front of a line away, and with one of another
// backend the whole line. Always says that there was none: on one filesystem or
// kernel a script may not know what it does on another.
func conditions(words []string, backend string) (rest []string, always bool) {
	always = true
	for len(words) > 0 && strings.HasPrefix(words[0], "[") {
		switch words[0] {
		case "[" + backend + "]":
		case "[fanotify]", "[ebpf]", "[!" + backend + "]":
			return nil, false
		default:
			always = false
		}
		words = words[1:]
	}
	return words, always
}

// note adds the keys of one expect.
func note(t *testing.T, asserted map[string]bool, limits Limits, words []string) {
	t.Helper()
	parsed, err := ParseExpectation(words, root, func(string, string) (string, error) { return "1", nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range limits.Apply(parsed) {
		asserted["op"] = true
		for _, w := range e.Want {
			asserted[w.Key] = asserted[w.Key] || w.Value != Absent && w.Value != Present
		}
	}
}

func TestOnlyAValueOfThatBackendCountsAsAsserted(t *testing.T) {
	table, err := parseCannot("ebpf size reason\nebpf mmap=- reason\nebpf failed reason\n")
	if err != nil {
		t.Fatal(err)
	}
	limits := Limits{}
	for _, c := range table {
		if err := limits.Declare(table, c.Backend, c.What); err != nil {
			t.Fatal(err)
		}
	}
	asserted := map[string]bool{}
	for _, line := range []string{
		"expect create a type=file dev=- inode=* size=3",
		"expect mmap a flags=PROT_WRITE",
		"expect unlink a failed=true nlink=0",
		"[fanotify] expect create a mtime=1",
		"[!ebpf] expect create a atime=1",
		"[ebpf] expect create a mode=0644",
		"[ext4] expect create a acl=none",
		"expect rename b old=a",
	} {
		if words, _ := conditions(strings.Fields(line), "ebpf"); len(words) > 0 {
			note(t, asserted, limits, words[1:])
		}
	}
	var got []string
	for key, is := range asserted {
		if is {
			got = append(got, key)
		}
	}
	slices.Sort(got)
	if want := []string{"acl", "host_path", "mode", "old.host_path", "op", "type"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
