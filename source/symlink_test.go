// SPDX-License-Identifier: Apache-2.0

package source

import (
	"bytes"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/falco-fim/fim/watch"
)

// host makes a host's root directory with these directories and links ("name ->
// target").
func host(t *testing.T, entries ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, entry := range entries {
		name, target, link := strings.Cut(entry, " -> ")
		name = filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(name), 0o755)
		if err == nil && link {
			err = os.Symlink(target, name)
		} else if err == nil {
			err = os.MkdirAll(name, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestAPatternThroughASymbolicLinkAlsoNamesWhatTheLinkLeadsTo(t *testing.T) {
	for name, row := range map[string]struct {
		entries []string
		glob    string
		want    []string
	}{
		"no link":                    {[]string{"/etc"}, "/etc/passwd", nil},
		"a relative link":            {[]string{"/usr/bin", "/bin -> usr/bin"}, "/bin/sh", []string{"/usr/bin/sh"}},
		"an absolute link":           {[]string{"/usr/bin", "/bin -> /usr/bin"}, "/bin", []string{"/usr/bin"}},
		"a link behind a link":       {[]string{"/usr/bin/dash", "/bin -> usr/bin", "/usr/bin/sh -> dash"}, "/bin/sh", []string{"/usr/bin/dash", "/usr/bin/sh"}},
		"a link to its parent":       {[]string{"/a/b", "/a/b/c -> ../d", "/a/d"}, "/a/b/c/x", []string{"/a/d/x"}},
		"up through another link":    {[]string{"/x/y", "/l -> x/y", "/m -> l/../z", "/x/z"}, "/m/f", []string{"/x/z/f"}},
		"above the root":             {[]string{"/l -> ../../../etc", "/etc"}, "/l/f", []string{"/etc/f"}},
		"a link before a wildcard":   {[]string{"/data/home", "/home -> data/home"}, "/home/*/.ssh", []string{"/data/home/*/.ssh"}},
		"a link behind a wildcard":   {[]string{"/home/bob/.ssh -> /keys", "/keys"}, "/home/*/.ssh", nil},
		"a link to nowhere":          {[]string{"/l -> gone"}, "/l/f", []string{"/gone/f"}},
		"a target like a pattern":    {[]string{"/l -> a[1]{x}*", "/a[1]{x}*"}, "/l/*.conf", []string{`/a\[1\]\{x\}\*/*.conf`}},
		"links behind braces":        {[]string{"/r/.a -> ../d/a", "/r/.c -> /d/c", "/d"}, "/r/.{a,b,c}", []string{"/d/a", "/d/c"}},
		"braces and a wildcard":      {[]string{"/a -> x", "/x"}, "/{a,b}/*/{c,d}", []string{"/x/*/{c,d}"}},
		"an escaped component":       {[]string{"/a* -> b", "/b"}, `/a\*/f`, []string{"/b/f"}},
		"a link to itself":           {[]string{"/l -> l"}, "/l/f", []string{"/l/f"}},
		"a path that does not exist": {nil, "/not/yet/there", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := resolve(host(t, row.entries...), watch.Pattern{Glob: row.glob}); !slices.Equal(got, row.want) {
				t.Errorf("%s became %q, want %q", row.glob, got, row.want)
			}
		})
	}
}

func TestWhatALinkLeadsToBearsTheConfiguredName(t *testing.T) {
	c := Config{HostRoot: host(t, "/usr/bin", "/bin -> usr/bin"), Watch: []string{"/bin"}}
	set, err := watch.Compile(watch.Options{Include: c.included()})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/bin", "/usr/bin/sh"} {
		if name, ok := set.Match([]byte(path)); !ok || string(name) != "/bin" {
			t.Errorf("%s is watched as %q, %t", path, name, ok)
		}
	}
}

// A home directory is its owner's: a link in it must not end everybody's watch.
func TestALinkThatMakesAnImpossiblePatternIsOnlyAWarning(t *testing.T) {
	for name, target := range map[string]string{
		"the whole host": "/",
		"no valid UTF-8": "/a\xff",
	} {
		t.Run(name, func(t *testing.T) {
			var warnings bytes.Buffer
			c := Config{
				HostRoot: host(t, "/home/bob/.ssh -> "+target),
				Watch:    []string{"/home/bob/.ssh"}, Log: log.New(&warnings, "", 0),
			}
			if got := c.included(); len(got) != 1 || got[0].Glob != "/home/bob/.ssh" {
				t.Errorf("included %v", got)
			}
			if !strings.Contains(warnings.String(), "/home/bob/.ssh") {
				t.Errorf("warned %q", warnings.String())
			}
		})
	}
}

// Else whoever may place a link could hide a file behind an exclude.
func TestAnExcludeFollowsNoLink(t *testing.T) {
	c := Config{
		HostRoot: host(t, "/etc", "/home/bob/cache -> /etc"),
		Watch:    []string{"/etc"}, Exclude: []string{"/home/bob/cache"},
	}
	set, err := watch.Compile(watch.Options{Include: c.included(), Exclude: patterns(c.Exclude)})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := set.Match([]byte("/etc/passwd")); !ok {
		t.Error("/etc/passwd is hidden by a link in a home directory")
	}
}

func FuzzEscapeGlobMatchesJustThatPath(f *testing.F) {
	f.Add("/a[1]*?{b,c}\\")
	f.Add("/ -!^}]")
	f.Fuzz(func(t *testing.T, path string) {
		set, err := watch.Compile(watch.Options{Include: []watch.Pattern{{Glob: EscapeGlob(path)}}})
		if err != nil {
			return // paths that no pattern may name
		}
		if _, ok := set.Match([]byte(filepath.Clean(path))); !ok {
			t.Errorf("%q does not match itself as %q", path, EscapeGlob(path))
		}
	})
}
