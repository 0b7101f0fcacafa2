// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/falco-fim/fim/test/host"
)

// activity is a row of the table of noise: what goes on all day on a host that
// nobody attacks.
type activity struct {
	name string
	// run is for the shell of a scratch system, with the real programs. keys are
	// typed where it asks for them on its terminal.
	run, keys string
	// alerts are all that it may raise, each as often as it does: the priority, the
	// rule and the path.
	alerts []string
}

var noise = []activity{{
	name: "a package is installed, installed once more and purged",
	run: "apt-get -qy -o Dir::Bin::methods=/real/usr/lib/apt/methods -o APT::Sandbox::User=root -o DPkg::Path=$PATH install /tmp/pkg.deb && " +
		"dpkg -i /tmp/pkg.deb && dpkg --purge pkg",
}, {
	name: "a user is added",
	run:  "useradd -m -U -s /bin/sh olga && test -f /home/olga/.bashrc",
	alerts: []string{
		"WARNING Account File Changed /etc/group",
		"WARNING Account File Changed /etc/gshadow",
		"WARNING Account File Changed /etc/passwd",
		"WARNING Account File Changed /etc/shadow",
	},
}, {
	name: "logs are rotated",
	run:  "logrotate -s /tmp/logrotate.state /etc/logrotate.conf && test -f /var/log/syslog.1.gz && test -f /etc/app/rotated",
}, {
	name: "a repository is cloned, and another one is worked in",
	run: "git clone -q /tmp/repository /home/user/clone && git clone -q /tmp/repository /etc/app/clone && cd /etc/app/clone && " +
		"echo more >>file && git commit -q -a -m more && git -c gc.auto=0 pull -q",
}, {
	name: "a file that no rule is about is edited",
	run:  "nano --ignorercfiles /etc/app/config && grep -q ok /etc/app/config",
	keys: save,
}, {
	name:   "a job is edited",
	run:    "nano --ignorercfiles /etc/cron.d/job && grep -q ok /etc/cron.d/job",
	keys:   save,
	alerts: []string{"WARNING Scheduled Job Changed /etc/cron.d/job"},
}, {
	name: "a container starts and does as it likes with its own files",
	run:  contain("echo x >>/etc/passwd; echo x >/etc/cron.d/job; chmod 4755 /etc/passwd; rm -f /etc/shadow"),
}}

// save has nano insert two letters, save and end.
const save = "ok\x0f\r\x18"

// contain returns a command that starts a container from an image, with a root
// filesystem and processes of its own, and runs a script in it; the host's /etc
// shows there as /host. It is runc that does so where it is installed.
func contain(script string) string {
	return fmt.Sprintf("cat >/other/image/script <<'EOF'\n%s\nEOF\n", script) + inImage(`if command -v runc >/dev/null; then
	runc run --bundle /other/bundle c1
else
	unshare --mount --pid --ipc --uts --fork sh -c 'mount --bind /etc /other/root/host && cd /other/root &&
		pivot_root . proc && cd / && exec /usr/bin/sh /script'
fi`)
}

// inImage returns a command that runs another while an image is mounted at
// /other/root, with a new layer of its own.
func inImage(command string) string {
	return `rm -rf /other/upper /other/work && mkdir -p /other/upper /other/work /other/root
mount -t overlay overlay -o lowerdir=/other/image,upperdir=/other/upper,workdir=/other/work /other/root || exit
` + command + `
code=$?
umount /other/root
exit $code`
}

// bundle is what runc wants to know.
const bundle = `{"ociVersion": "1.0.2", "root": {"path": "/other/root"}, "process": {
	"terminal": false, "user": {"uid": 0, "gid": 0}, "cwd": "/", "env": ["PATH=/usr/bin"], "args": ["/usr/bin/sh", "/script"],
	"capabilities": {"bounding": ["CAP_FOWNER"], "permitted": ["CAP_FOWNER"], "effective": ["CAP_FOWNER"]}
}, "mounts": [
	{"destination": "/proc", "type": "proc", "source": "proc"},
	{"destination": "/host", "type": "bind", "source": "/etc", "options": ["rbind", "rw"]}
], "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}]}}
`

// packageFiles make a package with all that rules look at, and a script of it that runs programs
// which change such things as well.
const packageFiles = `set -e
mkdir -p /tmp/pkg/DEBIAN /tmp/pkg/etc/cron.d /tmp/pkg/etc/pam.d /tmp/pkg/etc/sudoers.d /tmp/pkg/usr/bin \
  /tmp/pkg/usr/lib/systemd/system /tmp/pkg/usr/lib/modules/6 /tmp/pkg/etc/ld.so.conf.d
for file in etc/cron.d/pkg etc/pam.d/pkg etc/sudoers.d/pkg usr/bin/pkg-1 usr/bin/pkg-setuid \
  usr/lib/systemd/system/pkg.service usr/lib/modules/6/pkg.ko etc/ld.so.conf.d/pkg.conf; do
	echo pkg >/tmp/pkg/$file
done
chmod 4755 /tmp/pkg/usr/bin/pkg-setuid
cat >/tmp/pkg/DEBIAN/control <<'EOF'
Package: pkg
Version: 1
Architecture: all
Maintainer: nobody <nobody@example.org>
Description: one of many
EOF
echo /etc/cron.d/pkg >/tmp/pkg/DEBIAN/conffiles
cat >/tmp/pkg/DEBIAN/postinst <<'EOF'
#!/bin/sh
set -e
getent passwd pkg >/dev/null || useradd --system --no-create-home pkg
update-alternatives --install /usr/bin/pkg pkg /usr/bin/pkg-1 1
echo 'umask 022' >/etc/profile.d/pkg.sh
mkdir -p /etc/systemd/system/multi-user.target.wants
ln -sf /usr/lib/systemd/system/pkg.service /etc/systemd/system/multi-user.target.wants/pkg.service
(sh -c 'cp /etc/cron.d/pkg /etc/sudoers.d/pkg-copy && chmod 440 /etc/sudoers.d/pkg-copy; true'; true)
sed -i s/pkg/job/ /etc/sudoers.d/pkg-copy
chmod g+s /usr/bin/pkg-1
EOF
cat >/tmp/pkg/DEBIAN/prerm <<'EOF'
#!/bin/sh
set -e
update-alternatives --remove pkg /usr/bin/pkg-1
rm -f /etc/profile.d/pkg.sh /etc/sudoers.d/pkg-copy /etc/systemd/system/multi-user.target.wants/pkg.service
EOF
chmod 755 /tmp/pkg/DEBIAN/*
dpkg-deb --root-owner-group -b /tmp/pkg /tmp/pkg.deb >/dev/null
mkdir -p /var/lib/dpkg/info /var/lib/dpkg/updates /etc/alternatives /var/lib/dpkg/alternatives \
  /var/lib/apt/lists/partial /var/cache/apt/archives/partial /var/log/apt /etc/apt/apt.conf.d /etc/apt/preferences.d
ln -s /real/usr/share/dpkg /usr/share/dpkg
mount -t devpts -o ptmxmode=666 devpts /dev/pts
: >/var/lib/dpkg/status
`

// The rest of what the table needs, with the real programs at their paths, by
// which the rules know them.
const noisyFiles = `set -e
for program in /usr/bin/dpkg /usr/bin/git /usr/bin/gzip /usr/sbin/useradd /usr/sbin/logrotate; do
	cp --remove-destination /real$program $program
done
echo 'root:x:0:0:root:/root:/bin/sh' >/etc/passwd
echo 'root:*:1:0:99999:7:::' >/etc/shadow
echo 'root:x:0:' >/etc/group
echo 'root:*::' >/etc/gshadow
chmod 600 /etc/shadow /etc/gshadow
mkdir -p /etc/skel && echo first >/etc/skel/.bashrc && echo first >/etc/skel/.profile
cat >/etc/logrotate.conf <<'EOF'
/var/log/syslog /var/log/auth.log {
	rotate 3
	size 1
	compress
	create 0640 root root
	sharedscripts
	postrotate
		echo done >/etc/app/rotated
	endscript
}
/var/log/messages {
	rotate 3
	size 1
	copytruncate
}
EOF
chmod 644 /etc/logrotate.conf /var/log/*
cat >/root/.gitconfig <<'EOF'
[user]
	name = nobody
	email = nobody@example.org
[init]
	defaultBranch = one
[safe]
	directory = *
EOF
git init -q /tmp/repository
cd /tmp/repository
for n in 1 2 3; do echo $n >>file && git add file && git commit -q -m $n; done
ln -s /real/usr/lib/terminfo /usr/lib/terminfo
ln -s /real/usr/share/terminfo /usr/share/terminfo
`

// imageFiles make the image of containers, in which Perl is at /usr/bin/dpkg.
const imageFiles = `set -e
mkdir -p /other/image/etc/cron.d /other/image/usr/bin /other/image/proc /other/image/dev /other/image/host /other/bundle
cp /put.pl /other/image/
cp /real/usr/bin/perl /other/image/usr/bin/dpkg
cp /real/usr/bin/dash /other/image/usr/bin/sh
cp /real/usr/bin/chmod /real/usr/bin/rm /other/image/usr/bin/
for program in /other/image/usr/bin/*; do
	ldd $program | grep -o '/[^ ]*' | while read -r file; do
		mkdir -p /other/image${file%/*} && cp $file /other/image$file
	done
done
for file in passwd shadow cron.d/job; do
	echo image >/other/image/etc/$file
done
`

// newImage makes a system that can start a container.
func newImage(t testing.TB) *host.Scratch {
	t.Helper()
	s := newScratch(t)
	s.Sh(t, imageFiles)
	if err := os.WriteFile(s.Path("/other/bundle/config.json"), []byte(bundle), 0o644); err != nil {
		t.Fatal(err)
	}
	return s
}

// newNoisy makes a system on which all of the table can go on.
func newNoisy(t testing.TB) *host.Scratch {
	t.Helper()
	s := newImage(t)
	s.Sh(t, noisyFiles)
	s.Sh(t, packageFiles)
	return s
}

// TestNoiseRaisesTheAlertsThatAreNamedAndNoOther runs what no attacker has done.
func TestNoiseRaisesTheAlertsThatAreNamedAndNoOther(t *testing.T) {
	g := guardOf(t, newNoisy(t), nil)
	for _, a := range noise {
		t.Run(a.name, func(t *testing.T) {
			got := g.held(t, a.run, a.keys)
			if told := tell(t, got); !slices.Equal(told, a.alerts) {
				t.Errorf("%s\nwant %q\ngot  %q\n%s", a.run, a.alerts, told, texts(got))
			}
		})
	}
}

// tell returns alerts as the table has them, in order.
func tell(t testing.TB, alerts []host.Line) []string {
	t.Helper()
	f := load(t)
	var list []string
	for _, a := range alerts {
		list = append(list, fmt.Sprintf("%s %s %v", f.rule(a.Rule).Priority, a.Rule, a.Fields["fs.host_path"]))
	}
	slices.Sort(list)
	return list
}

// TestAnAttackAmongTheNoiseAlerts has the attacker wait for a moment at which
// much goes on.
func TestAnAttackAmongTheNoiseAlerts(t *testing.T) {
	g := guardOf(t, newNoisy(t), nil)
	var behind []string // one after the other, since two may want the same lock
	var front activity  // there is one terminal
	want := []string{"WARNING Scheduled Job Changed /etc/cron.d/evil"}
	for _, a := range noise {
		if a.keys != "" {
			front = a
			continue
		}
		behind = append(behind, "("+a.run+")")
		want = append(want, a.alerts...)
	}
	want = append(want, front.alerts...)
	slices.Sort(want)
	behind = slices.Insert(behind, len(behind)/2, "(echo '* * * * * root /tmp/evil' >/etc/cron.d/evil) &")
	got := g.held(t, "(\n"+strings.Join(behind, "\n")+"\nwait\n) &\n"+front.run+"; wait", front.keys)
	if told := tell(t, got); !slices.Equal(told, want) {
		t.Errorf("want %q\ngot  %q\n%s", want, told, texts(got))
	}
}
