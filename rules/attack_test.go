// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/test/host"
)

// rule returns the rule of that name, or none.
func (f *file) rule(name string) entry {
	for _, r := range f.rules() {
		if r.Rule == name {
			return r
		}
	}
	return entry{}
}

// write puts data into a file of the test and returns its path.
func write(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "events.jsonl")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// sentinel marks the end of an action in the stream of events, which keeps the
// kernel's order: all that the action caused comes before it.
var sentinel = host.Rule{
	Name:      "sentinel",
	Condition: `fs.op = mkdir and fs.filename startswith "sentinel-"`,
	Output:    "%fs.filename",
}

// backend is where the events of live tests come from. This machine usually
// refuses eBPF; a guest never does, see guest_test.go.
var backend = flag.String("backend", fanotify, "backend to run attacks on, fanotify or ebpf")

const (
	fanotify = "fanotify"
	ebpf     = "ebpf"
)

// guard is the plugin at work in a scratch system, with all rules.
type guard struct {
	*host.Scratch
	live *host.Live
	n    int // sentinels so far
}

// startGuard starts it with the configuration that is shipped, but for the
// backend, refused attempts where that tells of them, and the given keys.
func startGuard(t testing.TB, keys map[string]any) *guard {
	t.Helper()
	return guardOf(t, newScratch(t), keys)
}

// guardOf starts it in a given system.
func guardOf(t testing.TB, s *host.Scratch, keys map[string]any) *guard {
	t.Helper()
	init, _ := sample(t)
	init = with(t, init, map[string]any{"backend": *backend, "failed": *backend == ebpf})
	init = with(t, init, keys)
	rules := append([]host.Rule{sentinel}, load(t).expanded()...)
	return &guard{Scratch: s, live: host.Start(t, host.Options{Rules: rules, Init: init, In: s.In()})}
}

// with returns an init_config with other values for some keys.
func with(t testing.TB, init string, values map[string]any) string {
	t.Helper()
	keys := map[string]any{}
	if err := json.Unmarshal([]byte(init), &keys); err != nil {
		t.Fatal(err)
	}
	maps.Copy(keys, values)
	text, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// alerts runs a command and returns the alerts that it caused.
func (g *guard) alerts(t testing.TB, command string) []host.Line {
	t.Helper()
	g.Sh(t, command)
	return g.since(t)
}

// since returns the alerts that came since it was last called.
func (g *guard) since(t testing.TB) []host.Line {
	t.Helper()
	g.n++
	name := fmt.Sprintf("sentinel-%d", g.n)
	if err := os.Mkdir(g.Path("/etc/"+name), 0o755); err != nil {
		t.Fatal(err)
	}
	var alerts []host.Line
	for {
		line := g.live.Next(t)
		if line.Rule != sentinel.Name {
			alerts = append(alerts, line)
		} else if line.Text == name {
			return alerts
		}
	}
}

// put is what scripts of trusted programs write files with.
const put = `sub put { open my $f, ">>", $_[0] or die "$_[0]: $!"; print $f "x\n"; close $f or die } `

// TestEachRuleAlertsOnceOnItsAttackAndNotOnALookAlike runs real commands, each
// of which must raise one alert of all rules together: that of its own.
func TestEachRuleAlertsOnceOnItsAttackAndNotOnALookAlike(t *testing.T) {
	g := startGuard(t, nil)
	f := load(t)
	for _, a := range attacks {
		t.Run(a.rule, func(t *testing.T) {
			if f.rule(a.rule).Rule == "" {
				t.Fatal("no such rule")
			}
			for _, command := range a.attack {
				g.attack(t, command, a.rule)
			}
			for _, attack := range a.ebpf {
				if *backend == ebpf {
					g.attack(t, attack[0], a.rule)
				} else {
					g.attack(t, attack[0], attack[1])
				}
			}
			for _, command := range a.lookAlike {
				if got := g.alerts(t, command); len(got) != 0 {
					t.Errorf("look-alike: %s\n%s", command, texts(got))
				}
			}
			for _, by := range a.trusted {
				release := g.Perl(t, by[0], put+by[1]+" or die $!")
				if got := g.since(t); len(got) != 0 {
					t.Errorf("by %s: %s\n%s", by[0], by[1], texts(got))
				}
				release()
			}
		})
	}
}

// attack runs a command, which must raise one alert, that of rule, or none where
// rule is empty.
func (g *guard) attack(t testing.TB, command, rule string) {
	t.Helper()
	got := g.alerts(t, command)
	if rule == "" && len(got) > 0 || rule != "" && (len(got) != 1 || got[0].Rule != rule || got[0].Source != "fs") {
		t.Errorf("attack: %s: want one alert of %q\n%s", command, rule, texts(got))
	}
}

func texts(alerts []host.Line) string {
	list := []string{fmt.Sprintf("%d alerts", len(alerts))}
	for _, a := range alerts {
		list = append(list, a.Rule+": "+a.Text)
	}
	return strings.Join(list, "\n\t")
}

func TestEveryRuleHasAnAttackAndALookAlike(t *testing.T) {
	anywhere, onFanotify := map[string]bool{lostRule: true}, map[string]bool{lostRule: true}
	for _, a := range attacks {
		if len(a.lookAlike) > 0 {
			anywhere[a.rule] = len(a.attack)+len(a.ebpf) > 0
			onFanotify[a.rule] = len(a.attack) > 0
		}
	}
	for _, r := range load(t).rules() {
		if !anywhere[r.Rule] {
			t.Errorf("%s: no attack or no look-alike", r.Rule)
		}
		if needs := slices.Contains(needEBPF, r.Rule); needs == onFanotify[r.Rule] {
			t.Errorf("%s: attacked on fanotify: %v, which cannot feed it: %v", r.Rule, onFanotify[r.Rule], needs)
		}
	}
}

const lostRule = "File Events Lost"

func TestLostEventsAlert(t *testing.T) {
	lines := append(event.AppendText(nil, &event.Event{
		Op: event.OpLost, Lost: event.Lost{Count: event.Known(7), Reason: []byte("queue_full")},
	}), '\n')
	lines = append(event.AppendText(lines, &event.Event{Op: event.OpMkdir}), '\n')
	got, err := host.Replay(t, host.Options{Rules: load(t).expanded(), Open: "file://" + write(t, lines)})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Rule != lostRule || got[0].Text != "File events lost | count=7 reason=queue_full" {
		t.Error(texts(got))
	}
}

// everything returns an event that, but for its operation and path, each rule may
// alert on.
func everything(op event.Op, path string) *event.Event {
	names := func(name string) [][]byte { return [][]byte{[]byte(name)} }
	return &event.Event{
		Op: op, Res: event.SuccessBytes, Flags: names("FS_IMMUTABLE_FL"),
		File: event.File{
			HostPath: []byte(path), Type: event.TypeFile, Size: event.Known(1), Mode: event.Known(0o6777),
			Mtime: event.Known(1), XattrName: []byte("security.capability"),
		},
		Old: event.Old{Size: event.Known(2), Mode: event.Known(0o755), Mtime: event.Known(2), Flags: names("FS_APPEND_FL")},
	}
}

const refusedRule = "Attempt on a Sensitive File Refused"

// A refused attempt changed nothing: one rule alerts on it and no other, and each
// other alerts on the same event when it succeeded.
func TestOneRuleAloneAlertsOnRefusedAttempts(t *testing.T) {
	f := load(t)
	replay := func(set func(e *event.Event)) map[string]bool {
		var lines []byte
		for _, list := range f.lists {
			for _, path := range list {
				if !strings.HasPrefix(path, "/") {
					continue
				}
				path = strings.NewReplacer("*", "x", "?", "x").Replace(path)
				for _, op := range event.Ops() {
					e := everything(op, path)
					set(e)
					lines = append(event.AppendText(lines, e), '\n')
				}
			}
		}
		matches, err := host.Replay(t, host.Options{Rules: f.expanded(), Open: "file://" + write(t, lines), All: true})
		if err != nil {
			t.Fatal(err)
		}
		alerted := map[string]bool{}
		for _, m := range matches {
			alerted[m.Rule] = true
		}
		return alerted
	}
	shapes := []func(*event.Event){
		func(*event.Event) {},
		func(e *event.Event) { e.Old.Size = event.Known(0) },
		func(e *event.Event) { e.Old.HostPath, e.File.HostPath = e.File.HostPath, []byte("/tmp/x") },
	}
	done, refused := map[string]bool{}, map[string]bool{}
	for _, shape := range shapes {
		maps.Copy(done, replay(shape))
		maps.Copy(refused, replay(func(e *event.Event) {
			shape(e)
			e.Failed, e.Res = true, []byte("EACCES")
		}))
	}
	for _, r := range f.rules() {
		own := r.Rule == refusedRule
		if !done[r.Rule] && !own {
			t.Errorf("%s: does not alert on success either, so this proves nothing", r.Rule)
		}
		if r.Rule != lostRule && refused[r.Rule] != own {
			t.Errorf("%s: alerts on a refused attempt: %v", r.Rule, refused[r.Rule])
		}
		if done[r.Rule] && own {
			t.Errorf("%s: alerts on success", r.Rule)
		}
	}
	for _, errno := range []string{"ENOENT", "EEXIST", "ENOTEMPTY", "EROFS", ""} {
		if alerted := replay(func(e *event.Event) { e.Failed, e.Res = true, []byte(errno) }); alerted[refusedRule] {
			t.Errorf("%q is taken for a refusal", errno)
		}
	}
}

func TestEachChangeOfAttributesAlerts(t *testing.T) {
	for _, op := range event.Ops() {
		if !op.Attribute() {
			continue
		}
		e := &event.Event{Op: op, Res: event.SuccessBytes, File: event.File{HostPath: []byte("/etc/passwd")}}
		got, err := host.Replay(t, host.Options{Rules: load(t).expanded(), Open: "file://" + write(t, append(event.AppendText(nil, e), '\n'))})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 1 || got[0].Rule != "Attributes of a Sensitive File Changed" || !strings.Contains(got[0].Text, "| op="+op.String()+" path=/etc/passwd ") {
			t.Errorf("%s: %s", op, texts(got))
		}
	}
}

// TestAFloodThatOverflowsTheKernelsQueueAlerts stops the host, as a machine
// under load would, for longer than the queue lasts.
func TestAFloodThatOverflowsTheKernelsQueueAlerts(t *testing.T) {
	// fanotify's queue has room for 16,384 events by default, the smallest ring for
	// some hundred.
	flood, keys := 20000, map[string]any{}
	if *backend == ebpf {
		flood, keys["ring_buffer_kib"] = 2000, 64
	}
	g := startGuard(t, keys)
	g.live.Pause()
	g.Sh(t, fmt.Sprintf("mkdir /etc/flood && cd /etc/flood && seq %d | xargs -n 1000 mkdir", flood))
	g.live.Resume()
	// No sentinel: it could be lost as well.
	for a := g.live.Next(t); a.Rule != lostRule; a = g.live.Next(t) {
		t.Errorf("making a directory: %s: %s", a.Rule, a.Text)
	}
}

// TestAnEditorsSaveAlertsOnce runs vim, which probes the directory, keeps a swap
// file, renames the old file to a backup, writes a new one, sets its attributes
// and removes the backup.
func TestAnEditorsSaveAlertsOnce(t *testing.T) {
	vim := editor(t)
	g := startGuard(t, nil)
	for path, rule := range map[string]string{
		"/etc/cron.d/job":    "Scheduled Job Changed",
		"/etc/pam.d/sshd":    "PAM Configuration or Module Changed",
		"/root/.bashrc":      "Shell Start File Changed",
		"/etc/profile.d/new": "Shell Start File Changed",
	} {
		command := vim + " -u NONE --not-a-term -c 'normal Oevil' -c 'set backup' -c 'wq!' " + path + " </dev/null >/dev/null 2>&1"
		if got := g.alerts(t, command); len(got) != 1 || got[0].Rule != rule {
			t.Errorf("%s: want one %s\n%s", path, rule, texts(got))
		}
	}
}

// editor returns the path of vim in a scratch system.
func editor(t testing.TB) string {
	t.Helper()
	path, ok := vim()
	if !ok {
		t.Skip("no vim: test/setup.sh installs it")
	}
	return "/real" + path
}

// vim returns the path of vim. The names that it is called by are links.
func vim() (path string, ok bool) {
	for _, name := range []string{"vim", "vi"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if path, err = filepath.EvalSymlinks(path); err == nil && strings.Contains(path, "vim") {
			return path, true
		}
	}
	return "", false
}
