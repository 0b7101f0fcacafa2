// SPDX-License-Identifier: Apache-2.0

package process

import (
	"fmt"
	"strings"
	"testing"

	"github.com/falco-fim/fim/event"
)

func statLine(comm string) string {
	return "4711 (" + comm + ") S 42 4711 4710 34816 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 987654 9 9\n"
}

func TestAStatIsReadWhateverTheProcessCallsItself(t *testing.T) {
	for _, comm := range []string{
		"sh", "", ")", "((", "a) S 1 1 1", ") R 7 (", "new\nline", "\xff\xfe", "x\nUid:\t0", "tab\tsp  ace",
	} {
		st, ok := parseStat([]byte(statLine(comm)))
		if !ok || string(st.comm) != comm || st.ppid != 42 || st.sid != 4710 || st.tty != event.Known(34816) || st.start != 987654 {
			t.Errorf("%q: got %q, %d, %d, %v", comm, st.comm, st.ppid, st.start, ok)
		}
	}
}

func TestAStatThatIsCutIsNotRead(t *testing.T) {
	line := statLine("sh")
	for n := range strings.Index(line, "987654") {
		if st, ok := parseStat([]byte(line[:n])); ok {
			t.Errorf("%q: taken as %+v", line[:n], st)
		}
	}
}

func TestTheRealAndEffectiveIDsAreTakenFromAStatus(t *testing.T) {
	const status = "Name:\tx\\nUid:\t9\t9\t9\t9\nUmask:\t0022\nPid:\t1\nUid:\t1000\t0\t1000\t1000\nGid:\t5\t6\t7\t8\n"
	for label, want := range map[string][2]event.Uint{
		"\nUid:": {event.Known(1000), event.Known(0)}, "\nGid:": {event.Known(5), event.Known(6)}, "\nNope:": {},
	} {
		if own, effective := ids([]byte(status), label); own != want[0] || effective != want[1] {
			t.Errorf("%q: got %v, %v, want %v", label, own, effective, want)
		}
	}
	for _, bad := range []string{"\nUid:", "\nUid:\t1", "\nUid:\t1\n2", "\nUid:\t1\t-2", "\nUid:\t1\tx"} {
		if _, effective := ids([]byte(bad), "\nUid:"); effective.Known {
			t.Errorf("%q: taken as %v", bad, effective)
		}
	}
}

func TestTheIDInTheInnermostNamespaceIsTheLast(t *testing.T) {
	for status, want := range map[string]event.Uint{
		"Name:\tx\nNSpid:\t4711\nNSpgid:\t9\n":        event.Known(4711),
		"Name:\tx\nNSpid:\t4711\t17\t1\nNSpgid:\t9\n": event.Known(1),
		"Name:\tx\nNSpid:\nNSpgid:\t9\n":              {},
		"Name:\tx\nNSpid:\t4711\tx\n":                 {},
		"Name:\tx\nNStgid:\t4711\n":                   {}, // no pid namespaces
		"Name:\tx\\nNSpid:\t7\n":                      {},
	} {
		if got := innermost([]byte(status)); got != want && (got.Known || want.Known) {
			t.Errorf("%q: got %v, want %v", status, got, want)
		}
	}
}

func TestALoginThatWasNeverSetIsAbsent(t *testing.T) {
	for text, want := range map[string]event.Uint{
		"1000": event.Known(1000), "0\n": event.Known(0), "4294967295": {}, "4294967295\n": {},
		"": {}, "-1": {}, "99999999999999999999999": {},
	} {
		if got := parseLogin([]byte(text)); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

func TestArgumentsAreSplitAtTheirNULs(t *testing.T) {
	for text, want := range map[string][]string{
		"":                    {},
		"sh\x00-c\x00a b\x00": {"sh", "-c", "a b"},
		"sh\x00\x00x\x00":     {"sh", "", "x"},
		"\x00":                {""},
		"title without end":   {"title without end"},
		"a\x00\xff\nb":        {"a", "\xff\nb"},
	} {
		if got := splitArgs(nil, []byte(text)); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(statLine("a) b (")))
	f.Add([]byte("Name:\tx\nUid:\t1\t2\t3\t4\nGid:\t1\t2\t3\t4\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if st, ok := parseStat(text); ok && len(st.comm) > len(text) {
			t.Fatal("name longer than its text")
		}
		ids(text, "\nUid:")
		innermost(text)
		cgroupPath(text)
		parseLogin(text)
		n := 0
		for _, arg := range splitArgs(nil, text) {
			n += len(arg) + 1
		}
		if n < len(text) || n > len(text)+1 {
			t.Fatalf("%d of %d bytes in the arguments", n, len(text))
		}
	})
}
