// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"strings"
	"testing"

	"github.com/falco-fim/fim/test/host"
)

func TestMain(m *testing.M) { host.Main(m) }

// programs are copied to /usr/bin, so that they can be attacked there.
var programs = []string{"bash", "cat", "cp"}

// impostors are programs of the rules' lists, which the machine may not have:
// each is perl by that path.
var impostors = []string{
	"/usr/bin/dpkg", "/usr/bin/falcoctl", "/usr/sbin/logrotate", "/usr/sbin/rsyslogd", "/usr/sbin/useradd",
}

// furnish puts the files in place that attacks change, and put.pl, which adds a line
// to one.
const furnish = `set -e
mkdir -p /etc/falco/rules.d /etc/pam.d /etc/sudoers.d /etc/ssh /etc/cron.d /etc/systemd/system /etc/profile.d \
  /etc/ld.so.conf.d /etc/modprobe.d /etc/apt/keyrings /etc/polkit-1 /etc/app /root/.ssh /home/user/.ssh \
  /usr/share/falco/plugins /usr/lib/modules/6 /usr/lib/systemd/system /usr/lib/riscv64-linux-gnu/security \
  /usr/local/bin /usr/local/share/ca-certificates /var/log/audit /var/spool/cron/crontabs
for file in /etc/passwd /etc/shadow /etc/group /etc/hosts /etc/sudoers /etc/profile /etc/crontab /etc/pam.d/sshd \
  /etc/cron.d/job /etc/ssh/sshd_config /etc/ssh/ssh_host_ed25519_key /etc/falco/falco.yaml \
  /etc/falco/rules.d/fim_rules.yaml /etc/app/config /usr/share/falco/plugins/libfim.so /root/.ssh/authorized_keys \
  /root/.bashrc /usr/local/bin/tool /var/log/auth.log /var/log/auth.log.1 /var/log/auth.log.2.gz /var/log/syslog \
  /var/log/messages /var/log/wtmp /var/log/app.log /tmp/evil; do
	printf 'first line\nsecond line\n' >$file
done
cat >/put.pl <<'EOF'
open my $f, ">>", $ARGV[0] or die "$ARGV[0]: $!";
print $f "x\n";
close $f or die
EOF
chmod 700 /etc/polkit-1
chmod 600 /etc/ssh/ssh_host_ed25519_key
`

// newScratch makes a system with something to attack.
func newScratch(t testing.TB) *host.Scratch {
	t.Helper()
	s := host.NewScratch(t)
	script := furnish
	for _, program := range programs {
		script += fmt.Sprintf("cp /real/usr/bin/%s /usr/bin/\n", program)
	}
	for _, path := range impostors {
		script += fmt.Sprintf("cp /real/usr/bin/perl %s\n", path)
	}
	s.Sh(t, strings.TrimSpace(script))
	return s
}
