// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/falco-fim/fim/extract"
	"github.com/falco-fim/fim/test/host"
)

func TestEveryConditionAndOutputCompilesAsFalcoLimitsThem(t *testing.T) {
	for _, found := range host.Compile(t, load(t).expanded()) {
		t.Errorf("%s: %s: %s%s", found.Rule, found.Part, found.Error, found.Warning)
	}
}

func TestTheHostRefusesWhatFalcoRefuses(t *testing.T) {
	for name, r := range map[string]host.Rule{
		"a field of the syscall source": {Condition: "proc.name = sh", Output: "x"},
		"evt.type":                      {Condition: "evt.type = open", Output: "x"},
		"a field that we do not have":   {Condition: "fs.path = /x", Output: "x"},
		"such a field in the output":    {Condition: "fs.op = open", Output: "%fs.nope"},
		"an unknown macro":              {Condition: "fs.op = open and nope", Output: "x"},
		"an open parenthesis":           {Condition: "(fs.op = open", Output: "x"},
		"a number that is none":         {Condition: "fs.inode = x", Output: "x"},
	} {
		found := host.Compile(t, []host.Rule{r})
		if len(found) == 0 || found[0].Error == "" {
			t.Errorf("%s: compiled", name)
		}
	}
}

// placeholder is what Falco takes for a field in an output: it reads on as far
// as a declared name goes and prints the rest as text.
var placeholder = regexp.MustCompile(`%([a-z0-9_.]+)`)

func TestEveryFieldOfARuleIsDeclaredInFull(t *testing.T) {
	declared := map[string]bool{}
	for _, field := range extract.Fields() {
		declared[field.Name] = true
	}
	for _, r := range load(t).rules() {
		for _, match := range placeholder.FindAllStringSubmatch(r.Output, -1) {
			if !declared[match[1]] {
				t.Errorf("%s: output: no field %s", r.Rule, match[1])
			}
		}
		for _, word := range words(load(t).expand(r.Condition)) {
			word, _, _ = strings.Cut(word, "[") // an index
			if strings.HasPrefix(word, "fs.") && !declared[word] {
				t.Errorf("%s: condition: no field %s", r.Rule, word)
			}
		}
	}
}

func TestTheHostSeesTheFieldsOfTheTable(t *testing.T) {
	var got, want []string
	for _, field := range host.Fields(t) {
		got = append(got, fmt.Sprint(field.Field, " ", field.Type, " list=", field.List))
	}
	// libsinsp's names of the types, as its listing prints them.
	types := map[extract.Type]string{extract.String: "CHARBUF", extract.Uint64: "UINT64", extract.Bool: "BOOL"}
	for _, field := range extract.Fields() {
		want = append(want, fmt.Sprint(field.Name, " ", types[field.Type], " list=", field.List))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// priorities are those that the house takes, the highest first.
var priorities = []string{"EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO"}

// tagOrder is the order of a rule's tags.
var tagOrder = regexp.MustCompile(`^maturity_(stable|incubating|sandbox|deprecated)( host| container)+ filesystem( mitre_[a-z_]+)+( T[0-9]{4}(\.[0-9]{3})?)+$`)

// outputForm is "Sentence | key=%field key=%field".
var outputForm = regexp.MustCompile(`^[A-Z][^|%]+ \|( [a-z_]+=%fs\.[a-z_.]+)+$`)

func TestEveryRuleKeepsToFalcosStyle(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range load(t).rules() {
		switch {
		case seen[r.Rule]:
			t.Errorf("%s: twice", r.Rule)
		case r.Source != "fs":
			t.Errorf("%s: source %q: without ours Falco takes it for a rule on system calls", r.Rule, r.Source)
		case !strings.HasPrefix(r.Condition, "fs.op "):
			t.Errorf("%s: does not begin with fs.op, which costs nothing and decides most events", r.Rule)
		case !slices.Contains(priorities, r.Priority):
			t.Errorf("%s: priority %q", r.Rule, r.Priority)
		case !tagOrder.MatchString(strings.Join(r.Tags, " ")):
			t.Errorf("%s: tags %q", r.Rule, r.Tags)
		case !outputForm.MatchString(strings.TrimSpace(r.Output)):
			t.Errorf("%s: output %q", r.Rule, r.Output)
		case r.Desc == "":
			t.Errorf("%s: no description", r.Rule)
		}
		seen[r.Rule] = true
	}
}

func TestEveryRuleHasAMacroForWhatIsKnown(t *testing.T) {
	for _, r := range load(t).rules() {
		if r.Condition != "fs.op = lost" && !strings.Contains(r.Condition, "and not user_known_fim_") {
			t.Errorf("%s: no user_known_fim_… macro to append exceptions to", r.Rule)
		}
	}
}

// readmeRow is a row of the README's table of rules.
var readmeRow = regexp.MustCompile(`(?m)^\| ([A-Z][^|]*[^| ]) \| ([A-Z]+) \| ([^|]*) \|$`)

func TestTheReadmeListsEveryRuleAndWhichNeedEBPF(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	f, listed := load(t), map[string]bool{}
	for _, row := range readmeRow.FindAllStringSubmatch(string(text), -1) {
		r := f.rule(row[1])
		listed[row[1]] = true
		if r.Priority != row[2] {
			t.Errorf("README: %s has priority %s, in the rules %q", row[1], row[2], r.Priority)
		}
		for place, says := range map[string]string{"README": row[3], "description": r.Desc} {
			if said, needs := strings.Contains(strings.ToLower(says), "needs ebpf"), slices.Contains(needEBPF, row[1]); said != needs {
				t.Errorf("%s: %s: says that it needs eBPF: %v, needs it: %v", row[1], place, said, needs)
			}
		}
	}
	for _, r := range f.rules() {
		if !listed[r.Rule] {
			t.Errorf("README: %s is not in the table", r.Rule)
		}
	}
}

func TestEveryListAndMacroIsUsed(t *testing.T) {
	f := load(t)
	used := map[string]bool{}
	for _, e := range f.entries {
		for _, word := range append(words(e.Condition), e.Items...) {
			used[word] = true
		}
	}
	for _, e := range f.entries {
		if name := e.List + e.Macro; name != "" && !used[name] {
			t.Errorf("%s is not used", name)
		}
	}
}

// TestFalcosYAMLLibraryReadsTheFile has sysdig, which has the same one, take it
// for a configuration: it finds none in it, but it must have read it to say so.
func TestFalcosYAMLLibraryReadsTheFile(t *testing.T) {
	out, _ := exec.Command(host.Sysdig(t), "--plugin-config-file", "fim_rules.yaml", "-Il").CombinedOutput()
	if !strings.Contains(string(out), `could not find "plugins" entry`) {
		t.Errorf("%s", out)
	}
}
