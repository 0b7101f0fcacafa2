// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/source"
	"github.com/falco-fim/fim/test/host"
)

const evilAlert = "WARNING Scheduled Job Changed /etc/cron.d/evil"

// pretenders look like a package manager, or like what one starts, and are none.
// Perl is at /usr/bin/dpkg in their system, and at /tmp/dpkg.
var pretenders = []struct{ name, run, alert string }{
	{"a program called dpkg elsewhere", "/tmp/dpkg /put.pl /etc/cron.d/evil", evilAlert},
	{"a process that calls itself dpkg", `perl -e '$0 = "dpkg"; do "/put.pl"' /etc/cron.d/evil`, evilAlert},
	{"a program that is given the name as its argument", "bash -c 'exec -a /usr/bin/dpkg perl /put.pl /etc/cron.d/evil'", evilAlert},
	{"what such a program starts", `/tmp/dpkg -e 'system "echo evil >/etc/cron.d/evil; true"'`, evilAlert},
	{"a program at its path in other mounts",
		"unshare --mount sh -c 'mount --bind /tmp/dpkg /usr/bin/dpkg && exec /usr/bin/dpkg /put.pl /etc/cron.d/evil'", evilAlert},
	{"such a program of a user, who needs no privileges to make them",
		`setpriv --reuid 65534 --clear-groups unshare --user --map-root-user --mount sh -c '
			mount --bind /tmp/dpkg /usr/bin/dpkg && exec /usr/bin/dpkg /put.pl /home/user/.ssh/authorized_keys'`,
		"WARNING SSH Keys or Configuration Changed /home/user/.ssh/authorized_keys"},
	{"a program at its path in a container", contain("/usr/bin/dpkg /put.pl /host/cron.d/evil"), evilAlert},
	{"one that the package manager has left behind", `/usr/bin/dpkg -e '$dpkg = $$; $SIG{HUP} = "IGNORE"; fork or exec "perl", "-e",
		q{select undef, undef, undef, .001 while getppid == $ARGV[1]; do "/put.pl"}, "/etc/cron.d/evil", $dpkg'`, evilAlert},
}

// TestWhoMerelyLooksTrustedAlerts is about programs that still run when their
// events are read, so that all is known of them.
func TestWhoMerelyLooksTrustedAlerts(t *testing.T) {
	s := newImage(t)
	s.Sh(t, "cp /usr/bin/dpkg /tmp/ && chown 65534 /home/user/.ssh")
	g := guardOf(t, s, nil)
	for _, p := range pretenders {
		t.Run(p.name, func(t *testing.T) {
			got := g.held(t, p.run, "")
			if told := tell(t, got); !slices.Equal(told, []string{p.alert}) {
				t.Errorf("%s\nwant %q\ngot  %q\n%s", p.run, p.alert, told, texts(got))
			}
		})
	}
}

// TestWhoIsGoneIsNotTrusted stops the host until a program that the rules trust
// has ended: with fanotify, who that was cannot be known any more. With eBPF the kernel
// told of it while it was there.
func TestWhoIsGoneIsNotTrusted(t *testing.T) {
	g := startGuard(t, nil)
	for _, act := range []string{
		"/usr/bin/dpkg /put.pl /etc/cron.d/pkg",
		"/usr/bin/dpkg -e 'system q(perl /put.pl /etc/cron.d/pkg)'",
	} {
		if got := g.held(t, act, ""); len(got) != 0 {
			t.Errorf("%s, still there: %s", act, texts(got))
		}
		var want []string
		if *backend != ebpf {
			want = []string{"WARNING Scheduled Job Changed /etc/cron.d/pkg"}
		}
		got := g.late(t, act)
		if told := tell(t, got); !slices.Equal(told, want) || len(got) > 0 && !strings.Contains(got[0].Text, " exe=<NA> ") {
			t.Errorf("%s, gone: %s", act, texts(got))
		}
	}
}

// TestARuntimeIsTrustedWithImagesAndNotInAContainer has containers watched, which
// fanotify cannot do: there nothing alerts.
func TestARuntimeIsTrustedWithImagesAndNotInAContainer(t *testing.T) {
	s := newImage(t)
	s.Sh(t, "cp /usr/bin/dpkg /usr/bin/containerd && cp /usr/bin/containerd /other/image/usr/bin/")
	g := guardOf(t, s, map[string]any{"containers": *backend == ebpf})
	unpack := `chmod 04755, "/other/root/usr/bin/rm" or die`
	for _, c := range []struct{ run, alert string }{
		{inImage("/usr/bin/containerd -e '" + unpack + "'"), ""},
		{inImage("/usr/bin/containerd -e 'system qw(perl -e), shift' '" + unpack + "'"), "/other/root/usr/bin/rm"},
		{contain("echo 'chmod 04755, q(/usr/bin/sh) or die' >/tmp.pl; /usr/bin/containerd /tmp.pl"), "/other/root/usr/bin/sh"},
	} {
		var want []string
		if c.alert != "" && *backend == ebpf {
			want = []string{"WARNING Privileges Given to a File " + c.alert}
		}
		got := g.held(t, c.run, "")
		if told := tell(t, got); !slices.Equal(told, want) {
			t.Errorf("%s\nwant %q\ngot  %q\n%s", c.run, want, told, texts(got))
		}
	}
}

// late runs a command of which nothing is read until it has ended.
func (g *guard) late(t testing.TB, command string) []host.Line {
	t.Helper()
	func() {
		g.live.Pause()
		defer g.live.Resume()
		g.Sh(t, command)
	}()
	return g.since(t)
}

// ground is something that must be known of a process, and so, for it to be
// trusted: absent and other make it unknown, and otherwise.
type ground struct {
	name          string
	absent, other func(e *event.Event)
}

func known(name string, at func(e *event.Event) *event.Uint) ground {
	return ground{name,
		func(e *event.Event) { *at(e) = event.Uint{} },
		func(e *event.Event) { *at(e) = event.Known(1000) }}
}

func named(name string, at func(e *event.Event) *[]byte) ground {
	return ground{name,
		func(e *event.Event) { *at(e) = nil },
		func(e *event.Event) { *at(e) = append([]byte("/tmp"), *at(e)...) }}
}

var (
	isRoot = known("effective user", func(e *event.Event) *event.Uint { return &e.Proc.UID })
	isReal = known("real user", func(e *event.Event) *event.Uint { return &e.Proc.RUID })
	byInit = known("parent's id", func(e *event.Event) *event.Uint { return &e.Proc.Ppid })
	byExe  = named("program", func(e *event.Event) *[]byte { return &e.Proc.Exe })
	inside = named("reason", func(e *event.Event) *[]byte { return &e.Reason })
	onHost = ground{"mounts",
		func(e *event.Event) { e.Proc.HostMntNS = event.Bool{} },
		func(e *event.Event) { e.Proc.HostMntNS = event.KnownBool(false) }}
)

// ofFirst is that the process two above is the host's first.
var ofFirst = ground{"process two above",
	func(e *event.Event) { e.Proc.AncestorPids = e.Proc.AncestorPids[:1] },
	func(e *event.Event) { e.Proc.AncestorPids[1] = 1000 }}

// above is that the process n above it runs a program.
func above(n int) ground {
	return named(fmt.Sprint("program above ", n), func(e *event.Event) *[]byte { return &e.Proc.AncestorExes[n-1] })
}

// by returns an event of a process of root on the host that runs a program; that
// and the programs above it are given, its own first.
func by(op event.Op, path string, exes ...string) *event.Event {
	e := &event.Event{Op: op, Res: event.SuccessBytes, File: event.File{HostPath: []byte(path), Type: event.TypeFile}}
	e.Proc = event.Process{
		Pid: 100, Comm: []byte("comm"), Exe: []byte(exes[0]), UID: event.Known(0), RUID: event.Known(0),
		HostMntNS: event.KnownBool(true), Ppid: event.Known(99),
	}
	for n, exe := range exes[1:] {
		e.Proc.AncestorExes = append(e.Proc.AncestorExes, []byte(exe))
		e.Proc.AncestorPids = append(e.Proc.AncestorPids, uint64(99-n))
	}
	return e
}

// ofInit is the same of a daemon with mounts of its own.
func ofInit(e *event.Event) *event.Event {
	e.Proc.HostMntNS, e.Proc.Ppid = event.KnownBool(false), event.Known(1)
	return e
}

// agent is what the tests make a program of configuration management, and systemd
// what starts it.
const (
	agent   = "/opt/agent/bin/ruby"
	systemd = "/usr/lib/systemd/systemd"
)

// trusted are events that do not alert, each with all that it rests on.
var trusted = []struct {
	name  string
	event func() *event.Event
	on    []ground
}{
	{"a package manager", func() *event.Event { return by(event.OpClose, "/etc/cron.d/x", "/usr/bin/dpkg") },
		[]ground{byExe, isRoot, isReal, onHost}},
	{"one that a user runs", func() *event.Event {
		e := by(event.OpClose, "/etc/cron.d/x", "/usr/bin/dpkg", "/usr/bin/bash")
		e.Proc.LoginUID = event.Known(1000)
		return e
	}, []ground{byExe, isRoot, isReal, onHost}},
	{"a script of a package", func() *event.Event {
		return by(event.OpClose, "/etc/cron.d/x", "/usr/bin/cp", "/usr/bin/dash", "/usr/bin/dpkg")
	}, []ground{above(2), isRoot, isReal, onHost}},
	{"a user added by such a script", func() *event.Event {
		return by(event.OpRename, "/etc/passwd", "/usr/sbin/useradd", "/usr/bin/dash", "/usr/bin/dpkg")
	}, []ground{byExe, above(2), isRoot, isReal, onHost}},
	{"a package with Falco in it", func() *event.Event { return by(event.OpClose, "/etc/falco/falco.yaml", "/usr/bin/rpm") },
		[]ground{byExe, isRoot, isReal, onHost}},
	{"falcoctl", func() *event.Event { return by(event.OpClose, "/etc/falco/rules.d/x", "/usr/bin/falcoctl") },
		[]ground{byExe, isRoot, isReal, onHost}},
	{"falcoctl as a service", func() *event.Event {
		return ofInit(by(event.OpClose, "/etc/falco/rules.d/x", "/usr/bin/falcoctl"))
	}, []ground{byExe, isRoot, isReal, byInit}},
	{"an agent", func() *event.Event { return ofInit(by(event.OpClose, "/etc/sudoers.d/x", agent, systemd)) },
		[]ground{byExe, isRoot, isReal, byInit}},
	{"an agent of an agent", func() *event.Event { return by(event.OpRename, "/etc/passwd", agent, agent) },
		[]ground{byExe, isRoot, isReal, onHost, above(1)}},
	{"a new home", func() *event.Event { return by(event.OpClose, "/home/x/.bashrc", "/usr/sbin/useradd") },
		[]ground{byExe, isRoot, isReal, onHost}},
	{"a lock of accounts, by a set-user-ID program", func() *event.Event {
		e := by(event.OpLink, "/etc/passwd.lock", "/usr/bin/passwd")
		e.Proc.RUID = event.Known(1000)
		return e
	}, []ground{byExe, isRoot, onHost}},
	{"an object of git", func() *event.Event { return by(event.OpLink, "/etc/.git/objects/00/1", "/usr/bin/git") },
		[]ground{byExe, isRoot, isReal, onHost}},
	{"a logger", func() *event.Event { return by(event.OpClose, "/var/log/syslog", "/usr/sbin/rsyslogd") },
		[]ground{byExe, onHost}},
	{"a logger as a service of another user", func() *event.Event {
		e := ofInit(by(event.OpClose, "/var/log/syslog", "/usr/sbin/rsyslogd"))
		e.Proc.UID, e.Proc.RUID = event.Known(104), event.Known(104)
		return e
	}, []ground{byExe, byInit}},
	{"logrotate", func() *event.Event { return by(event.OpRename, "/var/log/syslog.1", "/usr/sbin/logrotate") },
		[]ground{byExe, onHost}},
	{"a log that logrotate has packed", func() *event.Event {
		return by(event.OpClose, "/var/log/syslog.1.gz", "/usr/bin/gzip", "/usr/sbin/logrotate")
	}, []ground{byExe, above(1), onHost}},
	{"a log that logrotate as a service has packed", func() *event.Event {
		e := by(event.OpClose, "/var/log/syslog.1.gz", "/usr/bin/gzip", "/usr/sbin/logrotate", systemd)
		e.Proc.HostMntNS, e.Proc.AncestorPids[1] = event.KnownBool(false), 1
		return e
	}, []ground{byExe, above(1), ofFirst}},
	{"an image that is unpacked", func() *event.Event {
		e := by(event.OpChmod, "/var/lib/images/1/usr/bin/su", "/usr/bin/containerd")
		e.Reason, e.File.Mode = event.InContainer, event.Known(0o4755)
		return e
	}, []ground{byExe, inside, isRoot, isReal, onHost}},
}

// untrusted are events of which all is known, and that alert.
var untrusted = []struct {
	name  string
	event func() *event.Event
}{
	{"Falco's files, by the script of a package", func() *event.Event {
		return by(event.OpClose, "/etc/falco/falco.yaml", "/usr/bin/dash", "/usr/bin/dpkg")
	}},
	{"an account, by a package manager itself", func() *event.Event { return by(event.OpRename, "/etc/shadow", "/usr/bin/dpkg") }},
	{"an account, by the shell of a package's script", func() *event.Event {
		return by(event.OpClose, "/etc/passwd", "/usr/bin/dash", "/usr/bin/dpkg")
	}},
	{"a log that somebody packs", func() *event.Event {
		return by(event.OpClose, "/var/log/syslog.1.gz", "/usr/bin/gzip", "/usr/bin/bash")
	}},
	{"an agent that somebody runs who has logged in", func() *event.Event {
		e := ofInit(by(event.OpClose, "/etc/sudoers.d/x", agent, systemd))
		e.Proc.LoginUID = event.Known(0)
		return e
	}},
	{"an agent that a shell runs", func() *event.Event { return by(event.OpClose, "/etc/sudoers.d/x", agent, "/usr/bin/bash") }},
	{"an agent whose parent is not known", func() *event.Event { return ofInit(by(event.OpClose, "/etc/sudoers.d/x", agent)) }},
	{"what an agent runs", func() *event.Event { return by(event.OpClose, "/etc/sudoers.d/x", "/usr/bin/cp", agent) }},
	{"root's shell files, by what makes homes", func() *event.Event {
		return by(event.OpClose, "/root/.bashrc", "/usr/sbin/useradd")
	}},
	{"a key in a new home", func() *event.Event {
		return by(event.OpClose, "/home/x/.ssh/authorized_keys", "/usr/sbin/useradd")
	}},
	{"a link that git makes elsewhere", func() *event.Event { return by(event.OpLink, "/etc/objects/x", "/usr/bin/git") }},
	{"alternatives of somebody's own making", func() *event.Event {
		return by(event.OpSymlink, "/usr/bin/pkg", "/usr/bin/update-alternatives", "/usr/bin/bash")
	}},
	{"below a container's runtime", func() *event.Event {
		e := by(event.OpChmod, "/var/lib/images/1/usr/bin/su", "/usr/bin/dash", "/usr/bin/containerd")
		e.Reason, e.File.Mode = event.InContainer, event.Known(0o4755)
		return e
	}},
}

// TestOnlyWhatIsKnownIsTrusted takes from each trusted process, one by one, what
// the trust rests on: as unknown it must alert as it does when it is otherwise.
func TestOnlyWhatIsKnownIsTrusted(t *testing.T) {
	var events []*event.Event
	want := map[uint64]bool{}
	names := map[uint64]string{}
	add := func(name string, e *event.Event, alerts bool) {
		e.File.Inode = uint64(len(events) + 1)
		events = append(events, e)
		want[e.File.Inode], names[e.File.Inode] = alerts, name
	}
	for _, c := range trusted {
		add(c.name, c.event(), false)
		for _, g := range c.on {
			e := c.event()
			g.absent(e)
			add(c.name+", "+g.name+" not known", e, true)
			e = c.event()
			g.other(e)
			add(c.name+", "+g.name+" another", e, true)
		}
		e := c.event()
		e.Proc = event.Process{Pid: e.Proc.Pid, Comm: []byte("dpkg"), UID: e.Proc.UID, Ppid: event.Known(1)}
		add(c.name+", gone", e, true)
	}
	for depth := 1; depth <= event.MaxAncestors; depth++ {
		exes := slices.Repeat([]string{"/usr/bin/dash"}, depth)
		add(fmt.Sprint("a script of a package, at depth ", depth), by(event.OpClose, "/etc/cron.d/x", append(exes, "/usr/bin/dpkg")...), false)
	}
	for _, c := range untrusted {
		add(c.name, c.event(), true)
	}
	rules := overridden(t, "fim_config_managers\n  items: []", "fim_config_managers\n  items: ["+agent+"]").expanded()
	alerted := replayed(t, rules, events)
	for inode, name := range names {
		if alerted[inode] != want[inode] {
			t.Errorf("%s: alerts: %v", name, alerted[inode])
		}
	}
}

// Who replaces a program that is trusted must be told of. /sbin/apk is below a link
// where it is not Alpine's, and there nothing can be at that path.
func TestWhatIsTrustedIsWatched(t *testing.T) {
	f, set := load(t), compile(t, source.DefaultWatch)
	for _, list := range []string{
		"fim_trusted_updaters", "fim_falco_updaters", "fim_container_runtimes", "fim_config_managers",
		"fim_package_account_programs", "fim_home_makers", "fim_log_writers", "fim_log_rotators", "fim_log_packers",
	} {
		if f.lists[list] == nil {
			t.Errorf("no list %s", list)
		}
		for _, path := range f.lists[list] {
			if _, ok := set.Match([]byte(path)); !ok && path != "/sbin/apk" {
				t.Errorf("%s: %s is not watched", list, path)
			}
		}
	}
}

// replayed returns the inodes of the events that alert.
func replayed(t testing.TB, rules []host.Rule, events []*event.Event) map[uint64]bool {
	t.Helper()
	var lines []byte
	for _, e := range events {
		lines = append(event.AppendText(lines, e), '\n')
	}
	got, err := host.Replay(t, host.Options{Rules: rules, Open: "file://" + write(t, lines)})
	if err != nil {
		t.Fatal(err)
	}
	inodes := map[uint64]bool{}
	for _, a := range got {
		n, ok := a.Fields["fs.inode"].(float64)
		if !ok {
			t.Fatalf("no inode: %v", a.Fields)
		}
		inodes[uint64(n)] = true
	}
	return inodes
}

// overridden returns the rules as an operator has them who replaces something.
func overridden(t testing.TB, replace ...string) *file {
	t.Helper()
	text, err := os.ReadFile("fim_rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(replace); n += 2 {
		if strings.Count(string(text), replace[n]) != 1 {
			t.Fatalf("%q stands not once in the rules", replace[n])
		}
		text = []byte(strings.Replace(string(text), replace[n], replace[n+1], 1))
	}
	f, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// What somebody does by hand alerts where updates are left to timers and agents,
// and what those do does not.
func TestUpdatesByHandAlertWhereTheMacroSaysSo(t *testing.T) {
	const macro = "- macro: fim_updates_by_hand\n  condition: "
	f := overridden(t, macro+"(always_true)", macro+"(never_true)")
	login := func(e *event.Event) *event.Event {
		e.Proc.LoginUID = event.Known(1000)
		return e
	}
	events := []*event.Event{
		by(event.OpClose, "/etc/cron.d/x", "/usr/bin/dpkg", "/usr/bin/apt-get"),
		by(event.OpClose, "/etc/cron.d/x", "/usr/bin/cp", "/usr/bin/dash", "/usr/bin/dpkg", "/usr/bin/apt-get"),
		by(event.OpClose, "/etc/cron.d/x", "/usr/bin/dpkg", "/usr/bin/bash"),
		login(by(event.OpClose, "/etc/cron.d/x", "/usr/bin/dpkg", "/usr/bin/apt-get")),
		login(by(event.OpClose, "/etc/cron.d/x", "/usr/bin/cp", "/usr/bin/dash", "/usr/bin/dpkg", "/usr/bin/apt-get")),
		by(event.OpClose, "/etc/cron.d/x", "/usr/bin/dpkg"), // below what is gone
	}
	for n, e := range events {
		e.File.Inode = uint64(n + 1)
	}
	if got := replayed(t, f.expanded(), events); got[1] || got[2] || len(got) != len(events)-2 {
		t.Errorf("alerts: %v", got)
	}
	if got := replayed(t, load(t).expanded(), events); len(got) != 0 {
		t.Errorf("alerts as shipped: %v", got)
	}
}
