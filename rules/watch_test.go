// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/source"
	"github.com/falco-fim/fim/test/host"
	"github.com/falco-fim/fim/watch"
)

// config is deploy/falco.yaml.
type config struct {
	Plugins []struct {
		Name    string         `yaml:"name"`
		Library string         `yaml:"library_path"`
		Init    map[string]any `yaml:"init_config"`
		Open    string         `yaml:"open_params"`
	} `yaml:"plugins"`
	Load []string `yaml:"load_plugins"`
}

// sample reads deploy/falco.yaml and returns its init_config as the plugin gets
// it, and what that watches.
func sample(t testing.TB) (init string, patterns []string) {
	t.Helper()
	text, err := os.ReadFile("../deploy/falco.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var c config
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Plugins) != 1 || c.Plugins[0].Name != "fim" || !slices.Equal(c.Load, []string{"fim"}) {
		t.Fatalf("deploy/falco.yaml does not load fim: %+v", c)
	}
	// Falco hands a map of the configuration to the plugin as JSON.
	data, err := json.Marshal(c.Plugins[0].Init)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := source.ParseConfig(data)
	if err != nil {
		t.Fatalf("deploy/falco.yaml: %v", err)
	}
	return string(data), parsed.Watch
}

// pmatch finds the lists that a condition compares paths with.
var pmatch = regexp.MustCompile(`\.host_path pmatch \(([^)]*)\)`)

// watched returns the paths that a rule is about, as its lists have them.
func (f *file) watched(r entry) []string {
	var paths []string
	for _, match := range pmatch.FindAllStringSubmatch(r.Condition, -1) {
		for _, list := range strings.Split(match[1], ",") {
			paths = append(paths, f.lists[strings.TrimSpace(list)]...)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

func compile(t testing.TB, patterns []string) *watch.Set {
	t.Helper()
	var o watch.Options
	for _, p := range patterns {
		o.Include = append(o.Include, watch.Pattern{Glob: p, Name: p})
	}
	set, err := watch.Compile(o)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// probes returns paths that a pattern covers: each of its alternatives, the
// wildcards filled in, and, where it means a whole tree, what lies below.
func probes(pattern string) []string {
	open, end := strings.IndexByte(pattern, '{'), strings.IndexByte(pattern, '}')
	if open >= 0 {
		var paths []string
		for _, choice := range strings.Split(pattern[open+1:end], ",") {
			paths = append(paths, probes(pattern[:open]+choice+pattern[end+1:])...)
		}
		return paths
	}
	path := strings.NewReplacer("**", "a/b", "*", "x", "?", "y").Replace(pattern)
	if strings.ContainsAny(pattern[strings.LastIndexByte(pattern, '/'):], "*?") {
		return []string{path}
	}
	return []string{path, path + "/z", path + "/z/.z"}
}

func TestProbesAreCoveredByTheirPattern(t *testing.T) {
	for _, pattern := range []string{"/a", "/a/*", "/a/*/b", "/a/{b,c}*", "/a/**/b?"} {
		for _, probe := range probes(pattern) {
			if _, ok := compile(t, []string{pattern}).Match([]byte(probe)); !ok {
				t.Errorf("%s does not cover %s", pattern, probe)
			}
		}
	}
}

func TestTheShippedConfigurationWatchesTheDefault(t *testing.T) {
	if _, shipped := sample(t); !slices.Equal(shipped, source.DefaultWatch) {
		t.Errorf("deploy/falco.yaml watches %q\nsource.DefaultWatch is %q", shipped, source.DefaultWatch)
	}
}

func TestWhatTheRulesAreAboutIsWatched(t *testing.T) {
	set := compile(t, source.DefaultWatch)
	f := load(t)
	for _, r := range f.rules() {
		for _, path := range f.watched(r) {
			for _, probe := range probes(path) {
				if _, ok := set.Match([]byte(probe)); !ok {
					t.Errorf("%s is dead for %s: %s is not watched", r.Rule, path, probe)
				}
			}
		}
	}
}

func TestNothingIsWatchedForNoRule(t *testing.T) {
	f := load(t)
	var paths []string
	for _, r := range f.rules() {
		paths = append(paths, f.watched(r)...)
	}
	set := compile(t, paths)
	_, shipped := sample(t)
	for _, pattern := range shipped {
		for _, probe := range probes(pattern) {
			if _, ok := set.Match([]byte(probe)); !ok {
				t.Errorf("deploy/falco.yaml watches %s: no rule is about %s", pattern, probe)
			}
		}
	}
}

// strangers returns paths that look like those of a pattern and are not.
func strangers(pattern string) []string {
	dir, name := filepath.Split(probes(pattern)[0])
	paths := []string{dir + "no-" + name, "/no" + dir + name}
	if !strings.ContainsAny(name, "*?") && !strings.HasSuffix(pattern, "*") {
		paths = append(paths, dir+name+"-not", dir+name+"-not/z")
	}
	return paths
}

// TestFalcoAndTheWatchAgreeOnPaths holds Falco's pmatch, which has its own idea
// of patterns, against ours, on every path of every list. They differ in one
// thing, which does no harm: to Falco /var/log/syslog* covers what lies below
// such a directory too.
func TestFalcoAndTheWatchAgreeOnPaths(t *testing.T) {
	f := load(t)
	for _, r := range f.rules() {
		paths := f.watched(r)
		if len(paths) == 0 {
			continue
		}
		var all []string
		for _, path := range paths {
			all = append(append(all, probes(path)...), strangers(path)...)
		}
		set, matched := compile(t, paths), pmatched(t, paths, all)
		for _, path := range all {
			if _, want := set.Match([]byte(path)); matched[path] != want {
				t.Errorf("%s: %s: Falco says %v, the watch %v", r.Rule, path, matched[path], want)
			}
		}
	}
}

// pmatched says which of the paths Falco's pmatch finds in the list.
func pmatched(t testing.TB, list, paths []string) map[string]bool {
	t.Helper()
	var lines []byte
	for _, path := range paths {
		e := &event.Event{Op: event.OpClose, File: event.File{HostPath: []byte(path)}}
		lines = append(event.AppendText(lines, e), '\n')
	}
	rule := host.Rule{Condition: "fs.host_path pmatch (" + strings.Join(list, ", ") + ")", Output: "%fs.host_path"}
	matches, err := host.Replay(t, host.Options{Rules: []host.Rule{rule}, Open: "file://" + write(t, lines)})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, m := range matches {
		found[m.Text] = true
	}
	return found
}
