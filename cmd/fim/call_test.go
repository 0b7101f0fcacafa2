// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strings"
	"testing"
)

func TestCheckTellsWhichBackendIsTakenAndWhyNotTheOthers(t *testing.T) {
	out, errs, code := fim(t, "", "check", tmpfs(t))
	for _, want := range []string{"kernel ", "BTF ", "capabilities ", "backend ebpf ", "no: ", "backend fanotify ", "yes, taken"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if code != exitDone {
		t.Errorf("exit code %d: %s", code, errs)
	}
}

func TestCheckNamesWhatTheConfigurationAsksForInVain(t *testing.T) {
	out, errs, code := fim(t, "", "check", "--failed", "--event", "exec,create", tmpfs(t))
	for _, want := range []string{"warning: fanotify: failed: refused attempts are not reported", "warning: fanotify: events: exec: not reported"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if code != exitDone {
		t.Errorf("exit code %d: %s", code, errs)
	}
}

func TestAWrongCallIsExitCode2AndAFailure1(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("bad.jsonl", []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		args []string
		code int
		want string
	}{
		"help":                       {[]string{"--help"}, exitDone, ""},
		"an unknown command":         {[]string{"wach"}, exitUsage, "unknown command"},
		"an unknown flag":            {[]string{"watch", "--colour"}, exitUsage, "--colour"},
		"no path":                    {[]string{"watch"}, exitUsage, "name a PATH"},
		"the whole host":             {[]string{"watch", "/"}, exitUsage, `"/"`},
		"an unclosed class":          {[]string{"watch", "/a[", "/b"}, exitUsage, "/a["},
		"an unknown format":          {[]string{"watch", "--format", "xml", "/etc"}, exitUsage, "xml"},
		"an unknown operation":       {[]string{"watch", "--event", "delete", "/etc"}, exitUsage, "delete"},
		"an unknown backend":         {[]string{"watch", "--backend", "kprobe", "/etc"}, exitUsage, "kprobe"},
		"a ring that is too small":   {[]string{"watch", "--ring-buffer", "63", "/etc"}, exitUsage, "64 to 1048576"},
		"a ring that is no number":   {[]string{"watch", "--ring-buffer", "4M", "/etc"}, exitUsage, "4M"},
		"a missing configuration":    {[]string{"watch", "--config", "none.yaml"}, exitFailed, "none.yaml"},
		"an output nowhere":          {[]string{"watch", "--output", "no/such/dir", "/etc"}, exitFailed, "no/such/dir"},
		"replay of nothing":          {[]string{"replay"}, exitUsage, "accepts 1 arg"},
		"replay of no file":          {[]string{"replay", "none.jsonl"}, exitFailed, "none.jsonl"},
		"replay of a directory":      {[]string{"replay", "/"}, exitFailed, "not a regular file"},
		"replay of garbage":          {[]string{"replay", "bad.jsonl"}, exitFailed, "line 1"},
		"fields in no format":        {[]string{"fields", "--format", "xml"}, exitUsage, "xml"},
		"explain of nothing":         {[]string{"explain"}, exitUsage, "accepts 1 arg"},
		"explain of an empty path":   {[]string{"explain", ""}, exitUsage, "names nothing"},
		"explain with a bad pattern": {[]string{"explain", "--watch", "/a[", "/a"}, exitUsage, "/a["},
		"fields with an argument":    {[]string{"fields", "x"}, exitUsage, "x"},
	} {
		t.Run(name, func(t *testing.T) {
			_, errs, code := fim(t, "", row.args...)
			if code != row.code || !strings.Contains(errs, row.want) {
				t.Errorf("%v: exit code %d, want %d with %q:\n%s", row.args, code, row.code, row.want, errs)
			}
			if (code == exitUsage) != strings.Contains(errs, "--help") {
				t.Errorf("%v: help is for wrong calls:\n%s", row.args, errs)
			}
		})
	}
}

func TestFieldsAreListedForPeopleAndForTheREADME(t *testing.T) {
	for format, want := range map[string]string{"table": "fs.host_path", "markdown": "| `fs.host_path` | string |"} {
		out, errs, code := fim(t, "", "fields", "--format", format)
		if code != exitDone || !strings.Contains(out, want) {
			t.Errorf("%s: exit code %d, %s\n%s", format, code, errs, out)
		}
	}
}
