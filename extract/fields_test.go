// SPDX-License-Identifier: Apache-2.0

package extract

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/falco-fim/fim/event"
)

// nameGrammar is what libsinsp takes for the name of a plugin's field.
var nameGrammar = regexp.MustCompile(`^fs(\.[a-z]+[a-z0-9_]*)+$`)

func TestFieldNamesFollowTheGrammarAndAreUnique(t *testing.T) {
	seen := make(map[string]bool)
	for _, f := range fields {
		if !nameGrammar.MatchString(f.Name) {
			t.Errorf("%s: does not match %s", f.Name, nameGrammar)
		}
		if seen[f.Name] {
			t.Errorf("%s: twice", f.Name)
		}
		seen[f.Name] = true
	}
	if fields[opID].Name != "fs.op" {
		t.Errorf("field %d is %s, not fs.op", opID, fields[opID].Name)
	}
}

func TestEveryFieldIsDescribedAndHasAnExampleOfItsType(t *testing.T) {
	examples := map[Type]*regexp.Regexp{
		String: regexp.MustCompile(`^.+$`),
		Uint64: regexp.MustCompile(`^[0-9]+$`),
		Bool:   regexp.MustCompile(`^(true|false)$`),
	}
	for _, f := range fields {
		if !strings.HasSuffix(f.Desc, ".") {
			t.Errorf("%s: description %q is no sentence", f.Name, f.Desc)
		}
		example, inList := strings.CutPrefix(f.Example, "(") // as Falco prints a list
		if !examples[f.Type].MatchString(example) || inList != f.List {
			t.Errorf("%s: example %q is no %s", f.Name, f.Example, f.Kind())
		}
	}
}

// builtIn is every name of libsinsp that begins with "fs": the fields of its
// class for file operations, and the class. libsinsp takes the first class
// with a field that the text begins with, so a name of ours that begins one of
// these would shadow it, or be shadowed.
var builtIn = []string{
	"fs.path", "fs.path.name", "fs.path.nameraw", "fs.path.source", "fs.path.sourceraw", "fs.path.target", "fs.path.targetraw",
}

func TestNoFieldShadowsABuiltInOne(t *testing.T) {
	for _, f := range fields {
		for _, name := range builtIn {
			if strings.HasPrefix(name, f.Name) || strings.HasPrefix(f.Name, name) {
				t.Errorf("%s and libsinsp's %s: one begins the other", f.Name, name)
			}
		}
	}
}

// twins are the fields of Falco's syscall source with a twin here, and the
// type that libsinsp gives them; plugins have only the unsigned 64-bit number.
var twins = map[string]Type{
	"proc.pid": Uint64, "proc.ppid": Uint64, "proc.pid.ts": Uint64,
	"proc.name": String, "proc.exe": String, "proc.exepath": String,
	"proc.cmdline": String, "proc.args": String, "proc.cwd": String,
	"proc.vpid": Uint64, "proc.sid": Uint64, "proc.tty": Uint64,
	"proc.pname": String, "proc.pexepath": String, "proc.pcmdline": String,
	"proc.aname": String, "proc.apid": Uint64, "proc.aexepath": String,
	"user.uid": Uint64, "user.name": String, "user.loginuid": Uint64, "user.loginname": String,
	"group.gid": Uint64, "group.name": String,
	"container.id": String, "container.full_id": String, "container.name": String, "container.image": String,
	"k8s.pod.name": String, "k8s.pod.uid": String, "k8s.ns.name": String,
}

// indexed are those of them that take an index there.
var indexed = map[string]bool{"proc.aname": true, "proc.apid": true, "proc.aexepath": true}

// ours are the fields of the classes of those twins that have none there.
var ours = map[string]string{
	"proc.tid":          "libsinsp has the thread in a class of its own, as thread.tid",
	"proc.tname":        "as proc.tid",
	"proc.args_cut":     "libsinsp cuts arguments without a word",
	"proc.anames":       "a plugin's field has an index or none; there proc.aname alone stands for any ancestor",
	"proc.mntns":        "libsinsp shows no namespaces",
	"proc.pidns":        "libsinsp shows no namespaces",
	"proc.host_mntns":   "libsinsp shows no namespaces",
	"user.euid":         "there user.uid is the effective one, and so it is here",
	"user.ruid":         "libsinsp has no real ids",
	"group.egid":        "as user.euid",
	"group.rgid":        "libsinsp has no real ids",
	"container.runtime": "there it is container.type",
}

func TestATwinOfASyscallFieldHasItsType(t *testing.T) {
	found := 0
	for _, f := range fields {
		name := strings.TrimPrefix(f.Name, "fs.")
		class, _, _ := strings.Cut(name, ".")
		want, ok := twins[name]
		switch {
		case ok && (f.Type != want || f.Index != indexed[name]):
			t.Errorf("%s: %s, but %s is %s; with an index: %v and %v", f.Name, f.Type, name, want, f.Index, indexed[name])
		case ok:
			found++
		case ours[name] != "":
		case slices.Contains([]string{"proc", "user", "group", "container", "k8s"}, class):
			t.Errorf("%s: is there no %s in libsinsp? Then list it here as our own", f.Name, name)
		}
	}
	if found != len(twins) {
		t.Errorf("%d of %d twins found", found, len(twins))
	}
}

// hidden are the members of a payload that no field shows, and why.
var hidden = map[string]string{
	"v":          "the version",
	"ts":         "evt.time",
	"proc.argv":  "fs.proc.exe and fs.proc.args",
	"proc.pargv": "fs.proc.pcmdline",
}

func TestEveryMemberOfThePayloadIsAField(t *testing.T) {
	members := goldenMembers(t)
	for _, f := range fields {
		delete(members, strings.TrimPrefix(f.Name, "fs."))
	}
	for key := range hidden {
		delete(members, key)
	}
	for key := range members {
		t.Errorf("payload member %q: add a row fs.%s to the table, or say here why not", key, key)
	}
}

// goldenMembers returns the keys of all payloads in the golden files, which
// hold each at least once.
func goldenMembers(t *testing.T) map[string]any {
	files, err := filepath.Glob("../event/testdata/*.jsonl")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	members := make(map[string]any)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var keys map[string]any
		if err := json.Unmarshal(text, &keys); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		maps.DeleteFunc(keys, func(key string, _ any) bool { return strings.HasPrefix(key, "raw.") })
		maps.Copy(members, keys)
	}
	return members
}

func TestTheLineTellsTheEventInOneLine(t *testing.T) {
	for want, e := range map[string]*event.Event{
		"rename /tmp/job -> /etc/cron.d/job inode=131842 dev=253:3 proc=mv pid=4711 exe=/usr/bin/mv uid=0 loginuid=1000": full,
		`unlink /w/a\x0ab`: {Op: event.OpUnlink, File: event.File{HostPath: []byte("/w/a\nb")}},
		"symlink /w/l -> ../x failed=EACCES truncated": {
			Op: event.OpSymlink, Failed: true, Res: []byte("EACCES"), Truncated: true,
			File: event.File{HostPath: []byte("/w/l"), LinkTarget: []byte("../x")},
		},
		"lost count=3 reason=ring_full": {
			Op: event.OpLost, Lost: event.Lost{Count: event.Known(3), Reason: []byte("ring_full")},
		},
		"close proc=java pid=4711 exe=/opt/java uid=1 container=3f4b8f2d9f6a": contained,
		"lost reason=queue_full": {Op: event.OpLost, Lost: event.Lost{Reason: []byte("queue_full")}},
		"modify":                 {Op: event.OpModify},
	} {
		var x Extractor
		got, err := x.Line(&memory{payload: event.Append(nil, e, 1<<16)})
		if err != nil || got != want {
			t.Errorf("got  %q, %v\nwant %q", got, err, want)
		}
	}
}
