// SPDX-License-Identifier: Apache-2.0

package watch

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func patterns(globs ...string) []Pattern {
	var list []Pattern
	for _, g := range globs {
		list = append(list, Pattern{Glob: g})
	}
	return list
}

func compile(t testing.TB, o Options) *Set {
	t.Helper()
	s, err := Compile(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAPatternCoversWhatTheGrammarSays(t *testing.T) {
	long := strings.Repeat("n", 255)
	for pattern, paths := range map[string]struct{ yes, no []string }{
		"/etc":       {[]string{"/etc", "/etc/passwd", "/etc/ssh/sshd_config", "/etc/new\nline\xff"}, []string{"/", "/etcfoo", "/et", "/a/etc", ""}},
		"/etc/":      {[]string{"/etc", "/etc/passwd"}, []string{"/etcfoo"}},
		"//etc///ss": {[]string{"/etc/ss", "/etc/ss/a"}, []string{"/etc", "/ss"}},
		"/etc/*":     {[]string{"/etc/passwd", "/etc/.hidden", "/etc/ssh"}, []string{"/etc", "/etc/ssh/x"}},
		"/etc/**":    {[]string{"/etc", "/etc/a", "/etc/a/b/c"}, []string{"/", "/etcfoo"}},
		"/*":         {[]string{"/etc", "/\x1b[31m"}, []string{"/", "/etc/passwd"}},

		"/home/*/.ssh":        {[]string{"/home/ольга/.ssh", "/home/a/.ssh/b/c"}, []string{"/home/.ssh", "/home/a/b/.ssh", "/home/a/.sshd"}},
		"/home/*/.ssh/**":     {[]string{"/home/a/.ssh", "/home/a/.ssh/b/c"}, []string{"/home/a"}},
		"/a/**/b":             {[]string{"/a/b", "/a/x/b", "/a/x/y/b", "/a/b/below"}, []string{"/a", "/a/x", "/b"}},
		"/a/**/**/b":          {[]string{"/a/b", "/a/x/y/b"}, []string{"/a"}},
		"/a/**/b/**/c":        {[]string{"/a/b/c", "/a/1/b/2/c/3"}, []string{"/a/c", "/a/c/b"}},
		"/**/*.conf":          {[]string{"/x.conf", "/a/b/.conf"}, []string{"/x.conf/y", "/conf"}},
		"/etc/*.conf":         {[]string{"/etc/a.conf", "/etc/.conf"}, []string{"/etc/a.conf/b", "/etc/a.confx", "/etc/a/b.conf"}},
		"/etc/?":              {[]string{"/etc/a", "/etc/я", "/etc/\xff"}, []string{"/etc/ab", "/etc", "/etc/a/b"}},
		"/etc/[a-c]x":         {[]string{"/etc/bx"}, []string{"/etc/dx", "/etc/b", "/etc/bx/y"}},
		"/a[^b]c":             {[]string{"/axc"}, []string{"/abc", "/a/c"}},
		"/a[!b]c":             {[]string{"/axc"}, []string{"/abc", "/a/c"}},
		"/[{,}*]x":            {[]string{"/{x", "/,x", "/*x"}, []string{"/ax"}},
		"/etc/{ssh,pam.d}":    {[]string{"/etc/ssh", "/etc/pam.d/su"}, []string{"/etc/{ssh,pam.d}", "/etc"}},
		"/{a,b}/{c,d*}":       {[]string{"/a/c/below", "/b/c", "/a/dx"}, []string{"/a", "/a/dx/below", "/c/a"}},
		"/x{,.{bak,old}}":     {[]string{"/x", "/x.bak", "/x.old/y"}, []string{"/x.", "/xbak"}},
		"/{,a}/b":             {[]string{"/a/b"}, []string{"/b", "/a"}},
		`/a\*b`:               {[]string{"/a*b", "/a*b/c"}, []string{"/axb"}},
		`/\{a,b\}`:            {[]string{"/{a,b}"}, []string{"/a"}},
		`/\д\\`:               {[]string{`/д\`}, []string{`/\д\\`}},
		"/a]b":                {[]string{"/a]b/c"}, nil},
		"/a,b":                {[]string{"/a,b"}, []string{"/a"}},
		"/...":                {[]string{"/.../x"}, []string{"/.."}},
		"/" + long:            {[]string{"/" + long, "/" + long + "/x"}, []string{"/" + long[1:], "/" + long + "n"}},
		"/new\nline\tand\x1b": {[]string{"/new\nline\tand\x1b"}, nil},
	} {
		s := compile(t, Options{Include: patterns(pattern)})
		for _, path := range paths.yes {
			if name, ok := s.Match([]byte(path)); !ok || string(name) != pattern {
				t.Errorf("%q does not cover %q", pattern, path)
			}
		}
		for _, path := range paths.no {
			if _, ok := s.Match([]byte(path)); ok {
				t.Errorf("%q covers %q", pattern, path)
			}
		}
	}
}

func TestAnExcludeBeatsEveryInclude(t *testing.T) {
	s := compile(t, Options{
		Include: patterns("/etc", "/etc/ssh/keys/id", "/home/*/.ssh"),
		Exclude: patterns("/etc/ssh", "/etc/*.swp", "/home/bob/**", "/**/.git"),
	})
	for path, want := range map[string]bool{
		"/etc/passwd": true, "/etc/sshx": true, "/etc/d/x.swp": true, "/etc/x.swp/below": true, "/home/al/.ssh/id": true,
		"/etc/ssh": false, "/etc/ssh/keys/id": false, "/etc/x.swp": false, "/home/bob/.ssh": false, "/etc/.git/config": false,
	} {
		if _, got := s.Match([]byte(path)); got != want {
			t.Errorf("%s: watched = %t, want %t", path, got, want)
		}
	}
}

func TestDirectMeansThePathAndItsChildrenOnly(t *testing.T) {
	s := compile(t, Options{Direct: true, Include: patterns("/etc", "/opt/**", "/srv/*"), Exclude: patterns("/etc/no")})
	for path, want := range map[string]bool{
		"/etc": true, "/etc/passwd": true, "/etc/ssh/x": false, "/etc/no": false,
		"/opt/a/b/c": true, "/srv": false, "/srv/a": true, "/srv/a/b": false,
	} {
		if _, got := s.Match([]byte(path)); got != want {
			t.Errorf("%s: watched = %t, want %t", path, got, want)
		}
	}
}

func TestTheMostSpecificPatternNamesTheEvent(t *testing.T) {
	for _, c := range []struct {
		include    []Pattern
		path, want string
	}{
		{patterns("/etc", "/etc/ssh"), "/etc/ssh/x", "/etc/ssh"},
		{patterns("/etc", "/etc/ssh"), "/etc/x", "/etc"},
		{patterns("/etc/**", "/etc/s*"), "/etc/ssh", "/etc/**"},            // same length: first in the list
		{patterns("/etc/s*", "/etc/**"), "/etc/ssh", "/etc/s*"},            //
		{patterns("/etc/*sh", "/etc/s*"), "/etc/ssh", "/etc/*sh"},          // longer
		{patterns("/a/long/**/name*", "/a/x/b/c"), "/a/x/b/c", "/a/x/b/c"}, // more literal components
		{patterns("/*/{b,x*}", "/a/x*"), "/a/xy", "/a/x*"},                 // x* has none of its own
		{patterns("/*/{b,x*}", "/a/x*"), "/a/b", "/*/{b,x*}"},
		{[]Pattern{{"/usr/bin", "/bin"}, {"/usr/bin", "/usr/bin"}}, "/usr/bin/ls", "/bin"},
		{[]Pattern{{"/usr/bin", ""}}, "/usr/bin/ls", "/usr/bin"},
	} {
		s := compile(t, Options{Include: c.include})
		if got, _ := s.Match([]byte(c.path)); string(got) != c.want {
			t.Errorf("%v: %s is named %q, want %q", c.include, c.path, got, c.want)
		}
	}
}

func TestReachesIsTrueAboveAndFalseBeside(t *testing.T) {
	s := compile(t, Options{
		Include: patterns("/etc/ssh/*.conf", "/home/*/.ssh", "/srv"),
		Exclude: patterns("/home/bob", "/srv/tmp/*"),
	})
	for dir, want := range map[string]bool{
		"/": true, "/etc": true, "/etc/ssh": true, "/etc/ssh/x.conf": true, "/home": true, "/home/al": true,
		"/srv/a/b": true, "/srv/tmp/a": true, // its children are not excluded
		"/etc/ssh/x": false, "/etc/pam.d": false, "/home/al/x": false, "/home/bob": false, "/home/bob/.ssh": false, "/usr": false, "": false,
	} {
		if got := s.Reaches([]byte(dir)); got != want {
			t.Errorf("%s: %t, want %t", dir, got, want)
		}
	}
}

func TestADirectoryLeadsToTheMostSpecificPatternBelow(t *testing.T) {
	s := compile(t, Options{
		Include: patterns("/etc/ssh/*.conf", "/etc/pam.d", "/etc/ssh/sshd_config", "/home/*/.ssh", "/srv"),
		Exclude: patterns("/home/bob", "/srv/tmp/*"),
	})
	for dir, want := range map[string]string{
		"/":        "/etc/ssh/sshd_config",
		"/etc":     "/etc/ssh/sshd_config",
		"/etc/ssh": "/etc/ssh/sshd_config", "/etc/pam.d": "/etc/pam.d", "/etc/pam.d/x": "/etc/pam.d",
		"/home": "/home/*/.ssh", "/home/al": "/home/*/.ssh", "/home/al/.ssh": "/home/*/.ssh",
		"/srv/tmp/a": "/srv", // its children are not excluded
		"/home/bob":  "", "/home/al/x": "", "/usr": "", "/etc/ssl": "", "": "",
	} {
		name, ok := s.Leads([]byte(dir))
		if string(name) != want || ok != (want != "") {
			t.Errorf("%s: %q, %t, want %q", dir, name, ok, want)
		}
	}
}

func TestWhatMatchesIsLedToFromEveryDirectoryAbove(t *testing.T) {
	r := random(t)
	for range 1000 {
		o := randomOptions(r, slices.Concat(exactParts, globParts))
		s := compile(t, o)
		for range 50 {
			path := randomPath(r)
			_, ok := s.Match([]byte(path))
			for _, dir := range ancestors(path) {
				if _, leads := s.Leads([]byte(dir)); ok && !leads || leads != s.Reaches([]byte(dir)) {
					t.Fatalf("%+v: %q is watched = %t, %q leads to something = %t, reaches = %t", o, path, ok, dir, leads, s.Reaches([]byte(dir)))
				}
			}
		}
	}
}

func TestPrefixesAreTheLiteralBeginnings(t *testing.T) {
	s := compile(t, Options{Include: patterns("/home/*/.ssh", "/etc", "/etc/", "/etc/{ssh,pam.d}/*", `/a\*/b?`, "/**/x"), Exclude: patterns("/no")})
	want := []string{"/", "/a*", "/etc", "/etc/pam.d", "/etc/ssh", "/home"}
	if got := s.Prefixes(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMatchAgreesWithANaiveMatcher(t *testing.T) {
	r := random(t)
	for range 2000 {
		o := randomOptions(r, slices.Concat(exactParts, globParts))
		s := compile(t, o)
		for range 50 {
			path := randomPath(r)
			_, got := s.Match([]byte(path))
			if want := naiveMatch(o, path); got != want {
				t.Fatalf("%+v: %q: watched = %t, want %t", o, path, got, want)
			}
			for _, dir := range ancestors(path) {
				if got && !s.Reaches([]byte(dir)) {
					t.Fatalf("%+v: %q is watched and out of reach of %q", o, path, dir)
				}
			}
		}
	}
}

func TestTheNamedPatternCoversThePath(t *testing.T) {
	r := random(t)
	for range 500 {
		o := randomOptions(r, slices.Concat(exactParts, globParts))
		s := compile(t, o)
		for range 50 {
			path := randomPath(r)
			if name, ok := s.Match([]byte(path)); ok && !naiveCovers(string(name), path, o.Direct) {
				t.Fatalf("%+v: %q is put down to %q", o, path, name)
			}
		}
	}
}

// many returns n patterns of the kinds that configurations have.
func many(n int) []Pattern {
	list := make([]Pattern, n)
	for i := range list {
		format := []string{"/srv/app%d/conf", "/home/*/.tool%d/**", "/var/lib/unit%d/*.conf", "/**/.secret%d", "/etc/conf%d"}[i%5]
		list[i].Glob = fmt.Sprintf(format, i)
	}
	return list
}

// hot are paths that many(5000) and many(10) must decide: missed early, missed
// late, matched.
var hot = [][]byte{
	[]byte("/usr/lib/x86_64-linux-gnu/libc.so.6"),
	[]byte("/home/ольга/.cache/tool/a/b/c/d/e/f"),
	[]byte("/home/ольга/.tool1/a/b/c/d/e/f"),
	[]byte("/var/lib/unit2/x.conf"),
	[]byte("/a/b/c/d/e/f/.secret3/x"),
}

func TestMatchTakesNoMemory(t *testing.T) {
	s := compile(t, Options{Include: many(5000), Exclude: patterns("/**/*.swp", "/home/{a,b}/**")})
	for _, path := range hot {
		if n := testing.AllocsPerRun(100, func() { s.Match(path); s.Reaches(path); s.Leads(path) }); n != 0 {
			t.Errorf("%s: %v allocations", path, n)
		}
	}
}

func TestMorePositionsThanTheStackHoldsAreFollowedToo(t *testing.T) {
	var include []Pattern
	for i := range 3 * onStack { // all their second components fit
		include = append(include, Pattern{Glob: fmt.Sprintf("/a%s*/*/end%d", strings.Repeat("?", i), i)})
	}
	s := compile(t, Options{Include: include})
	path := fmt.Appendf(nil, "/a%s/x/end%d", strings.Repeat("z", 4*onStack), 2*onStack)
	if _, ok := s.Match(path); !ok {
		t.Errorf("%s is not watched", path)
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{10, 5000} {
		s := compile(b, Options{Include: many(n)})
		for _, path := range hot {
			b.Run(fmt.Sprintf("%d/%s", n, strings.ReplaceAll(string(path), "/", "|")), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					s.Match(path)
				}
			})
		}
	}
}
