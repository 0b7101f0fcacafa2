// SPDX-License-Identifier: Apache-2.0

package source

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falco-fim/fim/watch"
)

func warnings(t *testing.T, include, exclude []string) string {
	t.Helper()
	c, buf := quiet(Exit)
	set, err := watch.Compile(watch.Options{Include: patterns(include), Exclude: patterns(exclude)})
	if err != nil {
		t.Fatal(err)
	}
	c.warn(set)
	return buf.String()
}

func TestAWatchOfLogsIsWarnedOfUnlessTheyAreExcluded(t *testing.T) {
	for name, row := range map[string]struct {
		include, exclude []string
		warns            bool
	}{
		"the directory above": {[]string{"/var"}, nil, true},
		"the directory":       {[]string{"/var/log"}, nil, true},
		"its children":        {[]string{"/var/log/*"}, nil, true},
		"excluded":            {[]string{"/var"}, []string{"/var/log", "/var/lib/docker"}, false},
		"something else":      {[]string{"/etc"}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := warnings(t, row.include, row.exclude); strings.Contains(got, "/var/log") != row.warns {
				t.Errorf("warned %q", got)
			}
		})
	}
}

func TestAWatchOfAFileThatThisProcessWritesIsWarnedOf(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	written, err := os.Create(filepath.Join(dir, "out.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if got := warnings(t, []string{dir}, nil); strings.Count(got, written.Name()) != 1 {
		t.Errorf("warned %q", got)
	}
	written.Close()
	read, err := os.Open(written.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	if got := warnings(t, []string{dir}, nil); got != "" {
		t.Errorf("a file that is only read: warned %q", got)
	}
}

// What is followed would be silent, and who asks for it relies on it.
func TestFanotifyRefusesToFollow(t *testing.T) {
	c, _ := quiet(Exit)
	c.Backend, c.Follow = "fanotify", true
	_, err := Open(c, "")
	if err == nil || !strings.Contains(err.Error(), "fanotify: follow: needs the eBPF backend") {
		t.Errorf("opened with error %v", err)
	}
}

func TestFanotifyNamesWhatItIsAskedForAndNeverReports(t *testing.T) {
	for name, row := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"the defaults":          {func(*Config) {}, ""},
		"what it can":           {func(c *Config) { c.Events = []string{"chmod", "truncate"} }, ""},
		"containers":            {func(c *Config) { c.Containers = true }, "containers: what happens inside containers' filesystems is not reported"},
		"refused attempts":      {func(c *Config) { c.Failed = true }, "failed: refused attempts are not reported"},
		"executions, and more":  {func(c *Config) { c.Events = []string{"exec", "create"} }, "events: exec: not reported"},
		"mappings and the rest": {func(c *Config) { c.Events = []string{"attrib", "mmap", "exec"} }, "events: mmap, chattr, exec: not reported"},
	} {
		t.Run(name, func(t *testing.T) {
			c, buf := quiet(Exit)
			row.change(&c)
			with, err := c.setup()
			if err != nil {
				t.Fatal(err)
			}
			with.tellUnseen()
			if got := buf.String(); !strings.Contains(got, row.want) || (got == "") != (row.want == "") || strings.Count(got, "\n") > 1 {
				t.Errorf("told %q, want %q", got, row.want)
			}
		})
	}
}
