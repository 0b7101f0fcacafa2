// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/falco-fim/fim/source"
)

// parse returns the configuration that a command line makes.
func parse(args ...string) (c source.Config, err error) {
	var f configFlags
	cmd := &cobra.Command{RunE: func(cmd *cobra.Command, args []string) error {
		c, err = f.config(cmd, args)
		return err
	}}
	f.register(cmd)
	cmd.SetArgs(args)
	cmd.SetErr(io.Discard)
	cmd.SilenceUsage = true
	err = cmd.Execute()
	c.Log = nil
	return c, err
}

func TestFlagsAndPathsReplaceWhatTheFileSays(t *testing.T) {
	t.Setenv("HOST_ROOT", "")
	t.Chdir("/")
	yaml := filepath.Join(t.TempDir(), "fim.yaml")
	text := "watch: [/srv]\nexclude:\n  - /srv/tmp\nevents: [create]\nfailed: true\n"
	if err := os.WriteFile(yaml, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	file := source.Default()
	file.Watch, file.Exclude, file.Events, file.Failed = []string{"/srv"}, []string{"/srv/tmp"}, []string{"create"}, true
	with := func(change func(*source.Config)) source.Config {
		c := file
		change(&c)
		return c
	}
	for name, row := range map[string]struct {
		args []string
		want source.Config
	}{
		"the file alone": {nil, file},
		"a path":         {[]string{"/a"}, with(func(c *source.Config) { c.Watch = []string{"/a"} })},
		"containers too": {[]string{"--containers"}, with(func(c *source.Config) { c.Containers = true })},
		"followed":       {[]string{"--follow"}, with(func(c *source.Config) { c.Follow = true })},
		"excludes with commas": {[]string{"--exclude", "/a/{b,c}", "--exclude", "/d"},
			with(func(c *source.Config) { c.Exclude = []string{"/a/{b,c}", "/d"} })},
		"events in a list": {[]string{"--event", "rename,open"}, with(func(c *source.Config) { c.Events = []string{"rename", "open"} })},
		"no attempts":      {[]string{"--failed=false"}, with(func(c *source.Config) { c.Failed = false })},
		"a backend":        {[]string{"--backend", "fanotify"}, with(func(c *source.Config) { c.Backend = "fanotify" })},
		"a ring buffer":    {[]string{"--ring-buffer", "8192"}, with(func(c *source.Config) { c.RingBufferKiB = 8192 })},
		"children only":    {[]string{"--recursive=false"}, with(func(c *source.Config) { c.Direct = true })},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parse(append([]string{"--config", yaml}, row.args...)...)
			if err != nil || !reflect.DeepEqual(got, row.want) {
				t.Errorf("got %+v\nwant %+v\nerror %v", got, row.want, err)
			}
		})
	}
}

func TestAConfigurationFileIsYAMLOrJSON(t *testing.T) {
	for name, row := range map[string]struct{ text, wrong string }{
		"YAML":                 {"watch:\n  - /a\n", ""},
		"JSON":                 {`{"watch": ["/a"]}`, ""},
		"empty":                {"", ""},
		"only a comment":       {"# nothing\n", ""},
		"an unknown key":       {"wach: [/a]\n", `did you mean "watch"`},
		"a relative pattern":   {"watch: [a]\n", "watch"},
		"a key that is a list": {"? [a]\n: b\n", "invalid map key"},
		"a number as a key":    {"1: [/a]\n", "keys are words"},
		"a list":               {"- /a\n", "want a map"},
		"not YAML":             {"watch: [\n", "config"},
		"a number in a list":   {"watch: [/a, 010]\n", "is a number"},
		"a truth":              {"failed: true\n", ""},
		"a truth in quotes":    {"failed: \"true\"\n", "true or false"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config")
			if err := os.WriteFile(file, []byte(row.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := parse("--config", file)
			if row.wrong == "" && err != nil {
				t.Error(err)
			}
			var usage usageError
			if row.wrong != "" && (err == nil || !strings.Contains(err.Error(), row.wrong) || !errors.As(err, &usage)) {
				t.Errorf("error %v, want %s", err, row.wrong)
			}
		})
	}
}

func TestAPathOfTheCommandLineBecomesAnAbsolutePattern(t *testing.T) {
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(base, "odd[1]")
	for _, d := range []string{dir, filepath.Join(dir, "a*b"), filepath.Join(dir, "sub")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	cwd := source.EscapeGlob(dir)
	for arg, want := range map[string]string{
		"/etc":     "/etc",
		"sub":      cwd + "/sub",
		"./sub/":   cwd + "/sub",
		"../x":     filepath.Dir(cwd) + "/x",
		".":        cwd,
		"a*b":      cwd + `/a\*b`, // exists under this very name
		"*.conf":   cwd + "/*.conf",
		"/h/*/.s":  "/h/*/.s",
		"not yet":  cwd + "/not yet",
		"sub/**/x": cwd + "/sub/**/x",
	} {
		got, err := absolutePatterns("/", []string{arg})
		if err != nil || got[0] != want {
			t.Errorf("%s became %q, error %v, want %q", arg, got, err, want)
		}
	}
	for root, arg := range map[string]string{"/": "", "/host": "sub"} {
		if got, err := absolutePatterns(root, []string{arg}); err == nil {
			t.Errorf("%q below %s was accepted as %q", arg, root, got)
		}
	}
}

func TestAPathOfAnotherHostRootIsLookedUpThere(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "a*b"), 0o755); err != nil {
		t.Fatal(err)
	}
	got, err := absolutePatterns(root, []string{"/a*b", "/c*d"})
	if err != nil || !slices.Equal(got, []string{`/a\*b`, "/c*d"}) {
		t.Errorf("got %q, error %v", got, err)
	}
}

func TestAPathThatDoesNotExistYetIsSaidToBeSo(t *testing.T) {
	var w bytes.Buffer
	tellMissing(&w, "/", []string{t.TempDir(), "/no/such\x1b", "/no/*/pattern"})
	if got := w.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `/no/such\x1b does not exist yet`) {
		t.Errorf("told %q", got)
	}
}

func TestManyPathsAreListedInFew(t *testing.T) {
	if got := few(slices.Repeat([]string{"/a"}, 5000)); got != "/a, /a, /a and 4997 more" {
		t.Error(got)
	}
	if got := few([]string{"/a", "/b"}); got != "/a, /b" {
		t.Error(got)
	}
}

func TestMissingCapabilitiesAreNamedWithWhatTheyAreFor(t *testing.T) {
	file := filepath.Join(t.TempDir(), "status")
	for _, row := range []struct{ caps, backend, want string }{
		{"CapEff:\t000001ffffffffff\n", "ebpf", "ebpf: all that are needed"},
		{"CapEff:\t000000c401080004\n", "ebpf", "ebpf: all that are needed"},
		{"CapEff:\t0000000401280004\n", "ebpf", "ebpf: all that are needed"},
		{"CapEff:\t0000000400080004\n", "ebpf", "ebpf: missing CAP_BPF (maps and programs), CAP_PERFMON (programs that read kernel memory), CAP_SYS_RESOURCE"},
		{"CapEff:\t0000000000000004\n", "fanotify", "fanotify: missing CAP_SYS_ADMIN (filesystem marks), CAP_SYS_PTRACE (who did it)"},
		{"Name:\tx\n", "ebpf", "ebpf: unknown: "},
	} {
		if err := os.WriteFile(file, []byte(row.caps), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := capabilities(file, row.backend); !strings.HasPrefix(got, row.want) {
			t.Errorf("%q: %s, want %s", row.caps, got, row.want)
		}
	}
}
