// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recorded returns what the go command printed for packages of that name.
func recorded(t *testing.T, names ...string) io.Reader {
	t.Helper()
	var all []io.Reader
	for _, name := range names {
		f, err := os.Open(filepath.Join("testdata", name+".jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		all = append(all, f)
	}
	return io.MultiReader(all...)
}

const allowBoth = "max 2\nrec/skips TestNeedsRsync rsync is not everywhere\nexample.org/rec/skips TestTable/.* no xfs\n"

func TestTheLastLineCountsTestsWithoutSubtests(t *testing.T) {
	for _, c := range []struct {
		name   string
		skips  string
		in     []string
		last   string
		ok     bool
		says   []string
		silent []string
	}{
		{"passes", "max 0", []string{"good"}, "4 passed, 0 failed, 0 skipped", true,
			[]string{"ok   example.org/rec/good"}, []string{"not shown"}},
		{"a failure", "max 0", []string{"good", "bad"}, "7 passed, 2 failed, 0 skipped", false,
			[]string{"FAIL example.org/rec/bad.TestTable/two\n", "two is wrong", "the parent itself is wrong"}, []string{"test that passed"}},
		{"allowed skips", allowBoth, []string{"skips"}, "1 passed, 0 failed, 2 skipped", true, nil, nil},
		{"a skip that is not allowed", "max 9\nskips TestTable/no no xfs", []string{"skips"}, "1 passed, 1 failed, 1 skipped", false,
			[]string{"rec/skips.TestNeedsRsync: skipped: not in the list"}, nil},
		{"a skip of another package", "max 9\nkips .* no", []string{"skips"}, "1 passed, 2 failed, 0 skipped", false, nil, nil},
		{"a skip that matches in part", "max 9\nskips TestNeeds no\nskips TestTable/n no", []string{"skips"}, "1 passed, 2 failed, 0 skipped", false, nil, nil},
		{"more skips than allowed", strings.Replace(allowBoth, "2", "1", 1), []string{"skips"}, "1 passed, 1 failed, 1 skipped", false,
			[]string{"TestTable/no: skipped: skip 2 of at most 1"}, nil},
		{"a panic", "max 0", []string{"panics"}, "1 passed, 1 failed, 0 skipped", false, []string{"at the disco"}, nil},
		{"a timeout", "max 0", []string{"hangs"}, "1 passed, 1 failed, 0 skipped", false,
			[]string{"FAIL (did not end) example.org/rec/hangs.TestHangs/sub", "panic: test timed out"}, nil},
		{"an exit inside a test", "max 0", []string{"exits"}, "1 passed, 1 failed, 0 skipped", false, []string{"about to exit"}, nil},
		{"a failing TestMain", "max 0", []string{"mainfails"}, "1 passed, 1 failed, 0 skipped", false, []string{"left something behind"}, nil},
		{"a package that does not build", "max 0", []string{"nobuild", "good"}, "4 passed, 1 failed, 0 skipped", false, []string{"undefined: undefined"}, nil},
		{"no test at all", "max 0", []string{"empty", "none"}, "0 passed, 0 failed, 0 skipped", false, []string{"no test ran"}, nil},
		{"nothing", "max 0", nil, "0 passed, 0 failed, 0 skipped", false, []string{"no test ran"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			allowed, err := parseSkips(c.skips)
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			ok := run(recorded(t, c.in...), &out, allowed, "")
			if lines := strings.Split(out.String(), "\n"); ok != c.ok || lines[len(lines)-2] != c.last || lines[len(lines)-1] != "" {
				t.Errorf("ok %t, want %t and the last line %q; got\n%s", ok, c.ok, c.last, &out)
			}
			for _, says := range c.says {
				if !strings.Contains(out.String(), says) {
					t.Errorf("does not say %q:\n%s", says, &out)
				}
			}
			for _, silent := range c.silent {
				if strings.Contains(out.String(), silent) {
					t.Errorf("says %q:\n%s", silent, &out)
				}
			}
		})
	}
}

func TestARunThatBreaksOffFailed(t *testing.T) {
	whole, err := io.ReadAll(recorded(t, "good"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(whole), "\n")
	for n := 1; n < len(lines)-1; n++ {
		var out strings.Builder
		if run(strings.NewReader(strings.Join(lines[:n], "")), &out, &skips{}, "") {
			t.Errorf("%d of %d lines count as a success:\n%s", n, len(lines)-1, &out)
		}
	}
}

func TestTextThatIsNoEventIsShown(t *testing.T) {
	var out strings.Builder
	in := io.MultiReader(strings.NewReader("go: downloading something\n{\"half\n{}\n"), recorded(t, "good"))
	if !run(in, &out, &skips{}, "") || !strings.HasPrefix(out.String(), "go: downloading something\n{\"half\n{}\n") {
		t.Errorf("got\n%s", &out)
	}
}

func TestATestRunTwiceCountsTwice(t *testing.T) {
	var out strings.Builder
	const pass = `{"Action":"run","Package":"p","Test":"T"}` + "\n" + `{"Action":"pass","Package":"p","Test":"T"}` + "\n"
	run(strings.NewReader(pass+pass+`{"Action":"pass","Package":"p"}`), &out, &skips{}, "")
	if !strings.HasSuffix(out.String(), "2 passed, 0 failed, 0 skipped\n") {
		t.Errorf("got\n%s", &out)
	}
}

func TestAListOfSkipsThatCannotBeMeantIsRefused(t *testing.T) {
	for text, wrong := range map[string]string{
		"":                       "first line",
		"event T reason":         "max N",
		"max -1":                 "max N",
		"max 1\nevent T":         "REASON",
		"max 1\nevent T( reason": "missing closing",
	} {
		if _, err := parseSkips(text); err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%q: got %v, want %q", text, err, wrong)
		}
	}
	if s, err := readSkips(filepath.Join(t.TempDir(), "none")); err != nil || s.refuse("p", "T") == "" {
		t.Errorf("without a file a skip is taken: %v", err)
	}
}

func TestATableStandsAboveTheLastLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "table")
	if err := os.WriteFile(file, []byte("a  ok\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	in := `{"Action":"run","Package":"p","Test":"T"}
{"Action":"pass","Package":"p","Test":"T"}
{"Action":"pass","Package":"p"}`
	var out strings.Builder
	if !run(strings.NewReader(in), &out, &skips{}, file) || !strings.HasSuffix(out.String(), "\na  ok\n\n1 passed, 0 failed, 0 skipped\n") {
		t.Errorf("got %q", out.String())
	}
}
