// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/falco-fim/fim/event"
)

var update = flag.Bool("update", false, "write the table of cannot.txt into the README")

const readme = "../../README.md"

func TestTheReadmeSaysWhatEachBackendCannotKnow(t *testing.T) {
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(text), ReadmeTags[0])
	table, after, ends := strings.Cut(rest, ReadmeTags[1])
	if !begins || !ends {
		t.Fatalf("%s has no %q", readme, ReadmeTags)
	}
	want := Markdown(cannotTable(t))
	if table == want {
		return
	}
	if !*update {
		t.Fatalf("the table in %s is not that of cannot.txt: run make fields", readme)
	}
	if err := os.WriteFile(readme, []byte(before+ReadmeTags[0]+want+ReadmeTags[1]+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestTheReadmeSaysWhatToDoAboutEachLoss(t *testing.T) {
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	_, troubles, _ := strings.Cut(string(text), "\n## Troubleshooting\n")
	for _, word := range event.LossReasons {
		if !strings.Contains(troubles, "`fs.lost.reason="+word+"`") && !strings.Contains(troubles, "` or `"+word+"`") {
			t.Errorf("%s says nothing of fs.lost.reason=%s", readme, word)
		}
	}
}

func TestARowOfCannotReadsAsASentence(t *testing.T) {
	for what, want := range map[string]string{
		Merged:                 "how often, and in which order",
		"old.size":             "`fs.old.size`",
		"modify:res":           "`fs.res` of `modify`",
		"failed":               "refused attempts",
		"failed:EROFS":         "attempts refused with `EROFS`",
		"mmap=-":               "`mmap` may go unreported",
		"chmod=attrib":         "`chmod` told as `attrib`",
		"utimes=attrib|modify": "`utimes` told as `attrib` or `modify`",
	} {
		if got := sentences([]Cannot{{What: what}}); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
}

func TestRowsWithOneReasonShareALine(t *testing.T) {
	rows := []Cannot{
		{"b", "mode", "x"}, {"b", "old.mode", "x"}, {"c", "mode", "x"}, {"c", "chmod=attrib", "y"}, {"c", "chown=attrib", "y"}, {"c", "mmap=-", "y"},
	}
	const want = "| b | `fs.mode`, `fs.old.mode` | x |\n| c | `fs.mode` | x |\n| c | `chmod`, `chown` told as `attrib`, `mmap` may go unreported | y |\n"
	if got := Markdown(rows); !strings.HasSuffix(got, "|---|---|---|\n"+want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
