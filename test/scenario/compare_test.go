// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

const root = "/w"

// wantEvents parses lines of expect, with 7 as the inode of every @NAME.
func wantEvents(t *testing.T, lines ...string) []Expectation {
	t.Helper()
	var all []Expectation
	for _, line := range lines {
		parsed, err := ParseExpectation(strings.Fields(line), root, func(string, string) (string, error) { return "7", nil })
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, parsed...)
	}
	return all
}

func gotEvents(t *testing.T, lines ...string) []Record {
	t.Helper()
	var all []Record
	for _, line := range lines {
		r, err := ParseRecord([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func TestEventsAreJustThoseExpectedInThatOrder(t *testing.T) {
	const create, modify, rename = `{"op":"create","host_path":"/w/a","inode":7}`, `{"op":"modify","host_path":"/w/a"}`,
		`{"op":"rename","host_path":"/w/b","old.host_path":"/w/a","inode":18446744073709551615}`
	const chmod = `{"op":"chmod","host_path":"/w/a","mode":"4755","old.mode":"0600","owner.uid":0,"old.owner.uid":4294967294,"mtime":1000000000000000007}`
	const setacl = `{"op":"setacl","host_path":"/w/a","acl":"user::rw-,user:1:r--,other::---","old.acl":"none"}`
	const open = `{"op":"open","host_path":"/w/a","flags":["O_WRONLY","O_TRUNC"]}`
	const refusal = `{"op":"unlink","host_path":"/w/a","failed":true,"res":"EACCES"}`
	for _, c := range []struct {
		name      string
		want, got []string
		wrong     string
	}{
		{"nothing", nil, nil, ""},
		{"operations share a path", []string{"create,modify a"}, []string{create, modify}, ""},
		{"a missing one", []string{"create,modify a"}, []string{create}, "event 2 is missing"},
		{"an extra one", []string{"create a"}, []string{create, modify}, "event 2 is extra"},
		{"the wrong order", []string{"create,modify a"}, []string{modify, create}, "op is modify, want create"},
		{"another path", []string{"create b"}, []string{create}, "host_path is /w/a, want /w/b"},
		{"the file that was remembered", []string{"create a inode=@f"}, []string{create}, ""},
		{"another file", []string{"create a inode=@f"}, []string{strings.Replace(create, "7", "8", 1)}, "inode is 8, want 7"},
		{"64 bits", []string{"rename b old=a inode=18446744073709551615"}, []string{rename}, ""},
		{"a key that must be absent", []string{"create a inode=-"}, []string{create}, "want it absent"},
		{"a key that is absent", []string{"create a dev=3"}, []string{create}, "dev is absent"},
		{"absent as it should be", []string{"create a dev=-"}, []string{create}, ""},
		{"the root itself", []string{"mkdir ."}, []string{`{"op":"mkdir","host_path":"/w"}`}, ""},
		{"bytes from the twin", []string{"create \xff"}, []string{`{"op":"create","host_path":"/w/\ufffd","raw.host_path":"2f772fff"}`}, ""},
		{"one of each number", []string{"create f{8..10}"},
			[]string{`{"op":"create","host_path":"/w/f8"}`, `{"op":"create","host_path":"/w/f9"}`, `{"op":"create","host_path":"/w/f10"}`}, ""},
		{"one of two operations", []string{"symlink|create a"}, []string{create}, ""},
		{"a key that must be there", []string{"create a inode=*"}, []string{create}, ""},
		{"a key that must be there, and is not", []string{"modify a inode=*"}, []string{modify}, "inode is absent"},
		{"a made-up name, twice the same", []string{"create s<x>", "rename f old=s<x>"},
			[]string{`{"op":"create","host_path":"/w/s1"}`, `{"op":"rename","host_path":"/w/f","old.host_path":"/w/s1"}`}, ""},
		{"a made-up name, then another", []string{"create s<x>", "rename f old=s<x>"},
			[]string{`{"op":"create","host_path":"/w/s1"}`, `{"op":"rename","host_path":"/w/f","old.host_path":"/w/s2"}`}, "old.host_path is /w/s2"},
		{"a mode", []string{"chmod a mode=4755 old.mode=0600"}, []string{chmod}, ""},
		{"another mode", []string{"chmod a mode=0755"}, []string{chmod}, "mode is 4755, want 0755"},
		{"an owner", []string{"chmod a owner.uid=0 old.owner.uid=4294967294"}, []string{chmod}, ""},
		{"another owner", []string{"chmod a owner.uid=1"}, []string{chmod}, "owner.uid is 0, want 1"},
		{"a time", []string{"chmod a mtime=1000000000000000007"}, []string{chmod}, ""},
		{"a time a nanosecond later", []string{"chmod a mtime=1000000000000000008"}, []string{chmod}, "mtime is 1000000000000000007"},
		{"an access list", []string{"setacl a acl=user::rw-,user:1:r--,other::--- old.acl=none"}, []string{setacl}, ""},
		{"a part of an access list", []string{"setacl a acl=user::rw-,user:1:r--"}, []string{setacl}, "acl is user::rw-,user:1:r--,other::---, want"},
		{"bytes of an attribute", []string{"setxattr a xattr.name=user.\xff"},
			[]string{`{"op":"setxattr","host_path":"/w/a","xattr.name":"user.\ufffd","raw.xattr.name":"757365722eff"}`}, ""},
		{"all flags", []string{"open a flags=O_WRONLY,O_TRUNC"}, []string{open}, ""},
		{"all flags in another order", []string{"open a flags=O_TRUNC,O_WRONLY"}, []string{open}, ""},
		{"a flag too few", []string{"open a flags=O_WRONLY"}, []string{open}, "flags is O_WRONLY,O_TRUNC, want O_WRONLY"},
		{"a flag too many", []string{"open a flags=O_WRONLY,O_TRUNC,O_SYNC"}, []string{open}, "want O_WRONLY,O_TRUNC,O_SYNC"},
		{"a flag twice", []string{"open a flags=O_WRONLY,O_TRUNC,O_TRUNC"}, []string{open}, "flags is"},
		{"a flag among others", []string{"open a flags=O_TRUNC,*"}, []string{open}, ""},
		{"a flag that is not among them", []string{"open a flags=O_SYNC,*"}, []string{open}, "want O_SYNC,*"},
		{"a part of a flag", []string{"open a flags=O_TRUN,*"}, []string{open}, "flags is"},
		{"any flags", []string{"open a flags=*"}, []string{open}, ""},
		{"flags where there should be none", []string{"open a flags=-"}, []string{open}, "want it absent"},
		{"no flags", []string{"chmod a flags=-"}, []string{chmod}, ""},
		{"no flags where there should be some", []string{"chmod a flags=A,*"}, []string{chmod}, "flags is absent"},
		{"an attempt that was refused", []string{"unlink a failed=true res=EACCES"}, []string{refusal}, ""},
		{"refused for another reason", []string{"unlink a failed=true res=EPERM"}, []string{refusal}, "res is EACCES, want EPERM"},
		{"refused, and should not be", []string{"unlink a"}, []string{refusal}, "it was refused with EACCES"},
		{"refused, and only the reason is wanted", []string{"unlink a res=EACCES"}, []string{refusal}, "it was refused with EACCES"},
		{"not refused, and should be", []string{"unlink a failed=true"}, []string{`{"op":"unlink","host_path":"/w/a","res":"SUCCESS"}`}, "failed is absent"},
		{"a made-up name has no slash", []string{"create <x>.swp"}, []string{`{"op":"create","host_path":"/w/d/a.swp"}`}, "want"},
	} {
		wrong := Compare(wantEvents(t, c.want...), gotEvents(t, c.got...), false)
		if c.wrong == "" && wrong != "" || !strings.Contains(wrong, c.wrong) {
			t.Errorf("%s: got %q, want %q", c.name, wrong, c.wrong)
		}
	}
}

func TestMergedEventsMayComeOnceAndInAnyOrderButNeverNotAtAll(t *testing.T) {
	const create, modify, attrib = `{"op":"create","host_path":"/w/a"}`, `{"op":"modify","host_path":"/w/a"}`, `{"op":"attrib","host_path":"/w/a"}`
	for _, c := range []struct {
		want  string
		got   []string
		wrong string
	}{
		{"create,modify,modify,attrib a", []string{create, modify, modify, attrib}, ""},
		{"create,modify,modify,attrib a", []string{create, attrib, modify}, ""},
		{"create,modify a", []string{create, modify, modify}, ""},
		{"create,modify a", []string{create, create, modify}, "event is extra: create"},
		{"create,modify a", []string{create}, "event is missing: create,modify a"},
		{"create,create,modify a", []string{create, modify}, "missing"},
		{"create,modify a", []string{create, modify, attrib}, "event is extra: attrib"},
		{"create,modify a", []string{create, modify, `{"op":"modify","host_path":"/w/a","failed":true,"res":"EACCES"}`}, "event is extra: modify"},
	} {
		wrong := Compare(wantEvents(t, c.want), gotEvents(t, c.got...), true)
		if c.wrong == "" && wrong != "" || !strings.Contains(wrong, c.wrong) {
			t.Errorf("%s: got %q, want %q", c.want, wrong, c.wrong)
		}
	}
	for wrong, got := range map[string]string{"": modify, "event is extra": create} {
		if w := Compare(wantEvents(t, "modify a size=-", "modify a"), gotEvents(t, got), true); !strings.Contains(w, wrong) || wrong == "" && w != "" {
			t.Errorf("one event for two that said different things of it: got %q, want %q", w, wrong)
		}
	}
}

func TestLosingRepeatingOrSwappingAnyOneEventIsNoticed(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 1000 {
		var want []Expectation
		var got []Record
		for i := range 2 + rnd.IntN(6) {
			want = append(want, wantEvents(t, fmt.Sprintf("create f%d", i))...)
			got = append(got, gotEvents(t, fmt.Sprintf(`{"op":"create","host_path":"/w/f%d"}`, i))...)
		}
		i := rnd.IntN(len(got) - 1)
		swapped := slices.Clone(got)
		swapped[i], swapped[i+1] = got[i+1], got[i]
		for what, damaged := range map[string][]Record{
			"lost":     slices.Delete(slices.Clone(got), i, i+1),
			"repeated": slices.Insert(slices.Clone(got), i, got[i]),
			"swapped":  swapped,
		} {
			if Compare(want, damaged, false) == "" || what != "swapped" && Compare(want, damaged, true) == "" {
				t.Fatalf("seed %d: event %d of %v %s, and nobody noticed", seed, i, got, what)
			}
		}
	}
}

func TestExpectationsThatCannotBeMeantAreRefused(t *testing.T) {
	unknown := func(key, name string) (string, error) { return "", fmt.Errorf("no %s", name) }
	for line, wrong := range map[string]string{
		"":                      "want: expect",
		"create":                "want: expect",
		"create f inode":        "KEY=VALUE",
		"create f inode=@":      "no ",
		"create f failed=":      "failed=true",
		"create f failed=-":     "failed=true",
		"create f failed=false": "failed=true",
	} {
		if _, err := ParseExpectation(strings.Fields(line), root, unknown); err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%q: got %v, want %q", line, err, wrong)
		}
	}
}

func TestEscapedNamesComeBack(t *testing.T) {
	for _, name := range []string{"plain", "new\nline", `back\slash`, "\xff\xfe", "Ольга 日本 😀", "\u2028 \u009b\x7f\x00"} {
		escaped := Escape(name)
		if back, err := Unescape(escaped); back != name || err != nil || strings.ContainsAny(escaped, "\n \x00\x7f") {
			t.Errorf("%q: %q comes back as %q, %v", name, escaped, back, err)
		}
	}
	for _, bad := range []string{`\`, `\x`, `\x1`, `\xg0`, `\n00`} {
		if got, err := Unescape(bad); err == nil {
			t.Errorf("%q: taken as %q", bad, got)
		}
	}
}

func TestAnEventThatIsWrongInItselfIsNoticed(t *testing.T) {
	began := time.Unix(100, 0)
	const good = `{"v":1,"op":"create","ts":101000000000,"host_path":"/w/f","watch":"/w","inode":7,"dev":3,"res":"SUCCESS"}`
	const bad = `{"v":1,"op":"create","ts":101000000000,"watch":"/w","failed":true,"res":"EACCES"}`
	limits := Limits{"modify:res": true}
	for line, wrong := range map[string]string{
		good: "",
		strings.Replace(good, `,"res":"SUCCESS"`, "", 1):                                         "res is absent",
		strings.Replace(strings.Replace(good, `,"res":"SUCCESS"`, "", 1), "create", "modify", 1): "",
		strings.Replace(good, `"inode":7,`, "", 1):                                               "inode is absent",
		strings.Replace(good, `"watch":"/w",`, "", 1):                                            "watch is absent",
		strings.Replace(good, `"host_path":"/w/f","watch":"/w",`, "", 1):                         "",
		strings.Replace(good, "101000000000", "1", 1):                                            "ts says",
		strings.Replace(good, "101000000000", `"x"`, 1):                                          "ts: ",
		strings.Replace(good, "SUCCESS", "EACCES", 1):                                            "failed is false and res is EACCES",
		bad: "",
		strings.Replace(bad, "EACCES", "SUCCESS", 1):   "failed is true and res is SUCCESS",
		strings.Replace(bad, `,"res":"EACCES"`, "", 1): "res is absent",
	} {
		got := Sound(gotEvents(t, line)[0], limits, began, began.Add(2*time.Second))
		if wrong == "" && got != "" || !strings.Contains(got, wrong) {
			t.Errorf("%s: got %q, want %q", line, got, wrong)
		}
	}
}

// Who writes on for that long is told of again, which is no event too many.
func TestAModifyIsRearmedAfterAWhile(t *testing.T) {
	const write = `{"op":"modify","host_path":"/w/a","dev":1,"inode":7,"proc.pid":%d,"ts":%d}`
	first, soon, late := fmt.Sprintf(write, 3, 1), fmt.Sprintf(write, 3, int64(rearm)), fmt.Sprintf(write, 3, 2*int64(rearm))
	other := fmt.Sprintf(write, 4, 2*int64(rearm))
	done := fmt.Sprintf(`{"op":"close","host_path":"/w/a","dev":1,"inode":7,"proc.pid":3,"ts":%d}`, rearm)
	for _, c := range []struct {
		name string
		got  []string
		left int
	}{
		{"after a while", []string{first, late}, 1},
		{"sooner", []string{first, soon}, 2},
		{"of another process", []string{first, other}, 2},
		{"through another descriptor", []string{first, done, late}, 3},
	} {
		if left := WithoutRearmed(gotEvents(t, c.got...)); len(left) != c.left {
			t.Errorf("%s: %d events are left: %v", c.name, len(left), left)
		}
	}
}
