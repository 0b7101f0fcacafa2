// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestEveryRowOfCannotIsAssertedByAScript(t *testing.T) {
	scripts, err := Scripts()
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]bool{}
	for _, s := range scripts {
		for line := range strings.Lines(string(s.Text)) {
			words := strings.Fields(line)
			for len(words) > 0 && strings.HasPrefix(words[0], "[") { // a condition
				words = words[1:]
			}
			if len(words) > 2 && words[0] == "cannot" {
				for _, what := range words[2:] {
					declared[words[1]+" "+what] = true
				}
			}
		}
	}
	for at, all := range onFilesystem { // by all of them
		for _, what := range all {
			declared[at[0]+" "+what] = true
		}
	}
	for _, c := range cannotTable(t) {
		if !declared[c.Backend+" "+c.What] {
			t.Errorf("cannot.txt: %s %s: no script asserts it", c.Backend, c.What)
		}
	}
}

// The commands of testscript itself act inside the test's own process and
// alongside its threads, so behind watch they would be nobody's events.
func TestBehindWatchOnlyOurOwnCommandsTouchFiles(t *testing.T) {
	foreign := regexp.MustCompile(`^(\[.*\] |! )*(exec|cp|mv|rm|mkdir|chmod|symlink|cd) `)
	scripts, err := Scripts()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scripts {
		commands, _, _ := bytes.Cut(s.Text, []byte("\n-- "))
		_, behind, _ := strings.Cut(string(commands), "\nwatch ")
		for line := range strings.Lines(behind) {
			if foreign.MatchString(line) {
				t.Errorf("%s: %q: use act or tool", s.Name, line)
			}
		}
	}
}

func TestRowsRunAScriptOncePerLine(t *testing.T) {
	got, err := split("x", []byte(licence+"# What.\nact create $N\n-- rows --\na N=1\n\nb N='2 3'\n-- f --\nf\n"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range got {
		names = append(names, s.Name)
	}
	if !slices.Equal(names, []string{"x.a", "x.b"}) {
		t.Errorf("names: %q", names)
	}
	const want = "env N='2 3'\n# What.\nact create $N\n\nend\n-- rows --"
	if len(got) == 2 && !strings.HasPrefix(string(got[1].Text), want) {
		t.Errorf("got %q, want %q…", got[1].Text, want)
	}
	got, err = split("x", []byte(licence+"# What.\nwatch\neach\nact create $N\nend-each\nsettle\n-- rows --\na N=1\nb N='2 3'\n"))
	if err != nil {
		t.Fatal(err)
	}
	const once = licence + "# What.\nwatch\n# a\nenv N=1\nact create $N\n# b\nenv N='2 3'\nact create $N\nsettle\n\nend\n-- rows --"
	if len(got) != 1 || got[0].Name != "x" || !strings.HasPrefix(string(got[0].Text), once) {
		t.Errorf("got %q, want %q…", got, once)
	}
	if _, err := split("x", []byte("# no licence\n")); err == nil {
		t.Error("a script without its first line was taken")
	}
}

func TestLimitsTurnWhatIsNotKnownIntoAbsence(t *testing.T) {
	table, err := parseCannot("# c\nb size reason\nb flags reason\nb failed:EPERM reason\nb chmod=attrib reason\nb mmap=- reason\nb chown:mode reason\n")
	if err != nil {
		t.Fatal(err)
	}
	limits := Limits{}
	for _, what := range []string{"size", "flags", "failed:EPERM", "chmod=attrib", "mmap=-", "chown:mode"} {
		if err := limits.Declare(table, "b", what); err != nil {
			t.Fatal(err)
		}
	}
	if limits.Declare(table, "b", "inode") == nil {
		t.Error("a limit that is not in the table was taken")
	}
	if limits.Unused() == "" {
		t.Error("nothing was applied yet")
	}
	var got []string
	for _, e := range limits.Apply(wantEvents(t, "chmod,mmap,chown,chmod|chown a size=3 mode=1 flags=A,*",
		"chown a failed=true res=EPERM", "chown a failed=true res=EACCES")) {
		got = append(got, e.String())
	}
	if want := []string{"attrib host_path=/w/a size=- mode=1 flags=-", "chown host_path=/w/a size=- flags=-",
		"attrib|chown host_path=/w/a size=- mode=1 flags=-", "chown host_path=/w/a failed=true res=EACCES"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if what := limits.Unused(); what != "" {
		t.Errorf("%s counts as unused", what)
	}
}
