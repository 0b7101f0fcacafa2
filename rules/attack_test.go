// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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

// guard is the plugin at work in a scratch system, with all rules.
type guard struct {
	*host.Scratch
	live *host.Live
	n    int // sentinels so far
}

// startGuard starts it with the configuration that is shipped.
func startGuard(t testing.TB) *guard {
	t.Helper()
	s := newScratch(t)
	init, _ := sample(t)
	rules := append([]host.Rule{sentinel}, load(t).expanded()...)
	return &guard{Scratch: s, live: host.Start(t, host.Options{Rules: rules, Init: init, In: s.In()})}
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
	g.Sh(t, "mkdir /etc/"+name)
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
	g := startGuard(t)
	f := load(t)
	for _, a := range attacks {
		t.Run(a.rule, func(t *testing.T) {
			if f.rule(a.rule).Rule == "" {
				t.Fatal("no such rule")
			}
			for _, command := range a.attack {
				if got := g.alerts(t, command); len(got) != 1 || got[0].Rule != a.rule || got[0].Source != "fs" {
					t.Errorf("attack: %s\n%s", command, texts(got))
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

func texts(alerts []host.Line) string {
	list := []string{fmt.Sprintf("%d alerts", len(alerts))}
	for _, a := range alerts {
		list = append(list, a.Rule+": "+a.Text)
	}
	return strings.Join(list, "\n\t")
}

func TestEveryRuleHasAnAttackAndALookAlike(t *testing.T) {
	tested := map[string]bool{lostRule: true}
	for _, a := range attacks {
		if len(a.attack) > 0 && len(a.lookAlike) > 0 {
			tested[a.rule] = true
		}
	}
	for _, r := range load(t).rules() {
		if !tested[r.Rule] {
			t.Errorf("%s: no attack or no look-alike", r.Rule)
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

// A refused attempt changed nothing: no rule alerts on it, and each alerts on the
// same event when it succeeded.
func TestRefusedAttemptsDoNotAlert(t *testing.T) {
	f := load(t)
	replay := func(refused bool) map[string]bool {
		var lines []byte
		for _, list := range f.lists {
			for _, path := range list {
				if !strings.HasPrefix(path, "/") {
					continue
				}
				path = strings.NewReplacer("*", "x", "?", "x").Replace(path)
				for _, op := range event.Ops() {
					e := &event.Event{Op: op, Failed: refused, Res: event.SuccessBytes, File: event.File{HostPath: []byte(path)}}
					if refused {
						e.Res = []byte("EACCES")
					}
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
	done, refused := replay(false), replay(true)
	for _, r := range f.rules() {
		if !done[r.Rule] {
			t.Errorf("%s: does not alert on success either, so this proves nothing", r.Rule)
		}
		if refused[r.Rule] && r.Rule != lostRule {
			t.Errorf("%s: alerts on a refused attempt", r.Rule)
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
	g := startGuard(t)
	g.live.Pause()
	g.Sh(t, "mkdir /etc/flood && cd /etc/flood && seq 20000 | xargs -n 1000 mkdir")
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
	g := startGuard(t)
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

// editor returns the path of vim in a scratch system. The names that it is
// called by are links that lead nowhere there.
func editor(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"vim", "vi"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if path, err = filepath.EvalSymlinks(path); err == nil && strings.Contains(path, "vim") {
			return "/real" + path
		}
	}
	t.Skip("no vim: test/setup.sh installs it")
	return ""
}
