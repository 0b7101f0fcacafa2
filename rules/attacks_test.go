// SPDX-License-Identifier: Apache-2.0

package rules

// attack is a row of the table of attacks: commands for the shell of a scratch
// system. They run in this order, so a later one meets what an earlier one left.
type attack struct {
	rule string
	// attack are commands that raise one alert each, that of the rule.
	attack []string
	// ebpf are such commands of which fanotify tells too little, each with the rule
	// that alerts there instead, or none.
	ebpf [][2]string
	// lookAlike are commands that come close and raise none.
	lookAlike []string
	// trusted are programs of the rule's lists with what they do, in Perl, without
	// an alert. put writes a file.
	trusted [][2]string
}

// attributes is the rule for what no other tells more exactly.
const attributes = "Attributes of a Sensitive File Changed"

// asNobody begins a command that an unprivileged user runs and is refused.
const asNobody = "! setpriv --reuid 65534 --clear-groups 2>/dev/null "

// needEBPF are the rules that fanotify cannot feed: it has attributes of a file
// neither before nor after, no sizes, and nothing that was refused.
var needEBPF = []string{
	"Log Truncated",
	"Privileges Given to a File",
	"Sensitive File Made Writable by Others",
	"Modification Time Set Back",
	"Immutable or Append-Only Flag Changed",
	"Attempt on a Sensitive File Refused",
	"Hard Link Made to a Sensitive File",
}

var attacks = []attack{{
	rule: "Falco Tampered With",
	attack: []string{
		"echo 'rules_files: []' >>/etc/falco/falco.yaml",
		"cp /tmp/evil /usr/share/falco/plugins/libfim.so",
		"mv /etc/falco/falco.yaml /etc/falco/falco.yaml~",
		"mv /etc/falco/falco.yaml~ /tmp/",
		"rm /etc/falco/rules.d/fim_rules.yaml",
		"echo x >/etc/falco/.#a~ && mv /etc/falco/.#a~ /etc/falco/falco.yaml",
		"ln -s /dev/null /etc/falco/rules.d/fim_rules.yaml",
	},
	lookAlike: []string{
		"cat /usr/share/falco/plugins/libfim.so >/dev/null",
		"echo x >/etc/falco.yaml",
		"mkdir /etc/falco/config.d",
	},
	trusted: [][2]string{{"/usr/bin/falcoctl", `put "/etc/falco/rules.d/new.yaml"`}},
}, {
	rule: "Dynamic Linker Configuration Changed",
	attack: []string{
		"echo /tmp/evil.so >/etc/ld.so.preload",
		"echo /tmp/evil2.so >/etc/ld.so.preload", // which stands there by now
		"mv /tmp/evil /etc/ld.so.preload && cp /etc/ld.so.preload /tmp/evil",
		"cp /tmp/evil /etc/ld.so.conf.d/evil.conf",
		"ln -s /tmp/evil /etc/ld.so.conf.d/link.conf",
	},
	lookAlike: []string{
		"echo x >/etc/ld.so.cache",
		"echo x >/etc/ld.so.preloaded",
		"cat /etc/ld.so.preload >/dev/null",
		"rm /etc/ld.so.preload",
	},
	trusted: [][2]string{{"/usr/bin/dpkg", `put "/etc/ld.so.conf.d/pkg.conf"`}},
}, {
	rule: "PAM Configuration or Module Changed",
	attack: []string{
		"sed -i '1i auth sufficient pam_permit.so' /etc/pam.d/sshd",
		"cp /tmp/evil /usr/lib/riscv64-linux-gnu/security/pam_unix.so",
		"install -m 644 /tmp/evil /etc/pam.d/sshd",
		"dd if=/tmp/evil of=/etc/pam.d/login bs=1 2>/dev/null", // many writes
	},
	lookAlike: []string{
		"cat /etc/pam.d/sshd >/dev/null",
		"echo x >/etc/pam.d.txt",
		"echo x >/usr/lib/riscv64-linux-gnu/pam_unix.so",
	},
	trusted: [][2]string{{"/usr/bin/dpkg", `put "/etc/pam.d/pkg"`}},
}, {
	rule: "Hard Link Made to a Sensitive File",
	ebpf: [][2]string{
		{"ln /etc/passwd /tmp/harmless", ""},
		{"ln /tmp/harmless /tmp/more-harmless && ln /etc/shadow /tmp/other", ""}, // the first tells of a name, not of the file
	},
	lookAlike: []string{
		"ln /etc/hosts /tmp/hosts", // not sensitive
		"cp /etc/passwd /tmp/copied",
		"ln -s /etc/passwd /tmp/symbolic",
	},
}, {
	rule: "Account File Changed",
	ebpf: [][2]string{
		{"echo 'evil::0:0::/:/bin/sh' >>/tmp/more-harmless", ""}, // a hard link
	},
	attack: []string{
		"echo 'evil::0:0::/:/bin/sh' >>/etc/passwd",
		"sed -i s/second/evil/ /etc/shadow",
		"perl -i -pe 's/second/evil/' /etc/group",
		"echo evil >/etc/shadow+ && mv /etc/shadow+ /etc/shadow", // as passwd(1) does
		"ln -sf /tmp/evil /etc/gshadow",
	},
	lookAlike: []string{
		"cat /etc/passwd /etc/shadow >/dev/null",
		"cp /etc/passwd /etc/passwd-",
		"echo x >/tmp/passwd",
		": >>/etc/passwd", // opened for writing, not written
	},
}, {
	rule: "Privilege Configuration Changed",
	attack: []string{
		"echo 'evil ALL=NOPASSWD: ALL' >/etc/sudoers.d/evil",
		"sed -i 's/second/evil ALL=(ALL) ALL/' /etc/sudoers",
		"mv /tmp/evil /etc/sudoers.d/moved && cp /etc/sudoers.d/moved /tmp/evil",
	},
	lookAlike: []string{
		"cat /etc/sudoers >/dev/null",
		"echo x >/etc/sudoers.d/.evil.swp", // sudo passes over names with a dot
		"rm /etc/sudoers.d/evil",
	},
	trusted: [][2]string{{"/usr/bin/dpkg", `put "/etc/sudoers.d/pkg"`}},
}, {
	rule: "SSH Keys or Configuration Changed",
	attack: []string{
		"echo ssh-ed25519 AAAA evil >>/root/.ssh/authorized_keys",
		"cp /tmp/evil /home/user/.ssh/authorized_keys",
		"mkdir -p /home/new/.ssh && echo x >/home/new/.ssh/authorized_keys",
		"sed -i 's/second/PermitRootLogin yes/' /etc/ssh/sshd_config",
		"mv /home/new/.ssh /home/new/off && mv /home/new/off /home/new/.ssh",
	},
	lookAlike: []string{
		"echo host ssh-ed25519 AAAA >>/root/.ssh/known_hosts",
		"echo x >/root/.ssh/known_hosts.abc && mv /root/.ssh/known_hosts.abc /root/.ssh/known_hosts",
		"cat /root/.ssh/authorized_keys >/dev/null",
		"echo x >/home/user/authorized_keys",
	},
}, {
	rule: "Scheduled Job Changed",
	attack: []string{
		"echo '* * * * * root /tmp/evil' >/etc/cron.d/evil",
		"mv /tmp/evil /etc/cron.d/moved && cp /etc/cron.d/moved /tmp/evil",
		"ln /tmp/evil /etc/cron.d/linked && rm /tmp/evil && echo evil >/tmp/evil",
		"sed -i s/second/evil/ /etc/cron.d/job",
		"echo evil >/var/spool/cron/crontabs/tmp.abc && mv /var/spool/cron/crontabs/tmp.abc /var/spool/cron/crontabs/root",
		// Written under the name of an editor's file, then under a passing one.
		"echo evil >/etc/cron.d/.#x~ && mv /etc/cron.d/.#x~ /etc/cron.d/x1",
		"echo evil >/etc/cron.d/4913",
		"echo evil >/etc/cron.d/.a.swp && mv /etc/cron.d/.a.swp /etc/cron.d/x2",
		"echo evil >/tmp/sedabcdef && mv /tmp/sedabcdef /etc/cron.d/x3",
		// A directory with a job in it, moved in.
		"mkdir /tmp/cron.weekly && echo evil >/tmp/cron.weekly/evil && mv /tmp/cron.weekly /etc/",
	},
	lookAlike: []string{
		"cat /etc/crontab >/dev/null",
		"rm /etc/cron.d/evil",
		"touch /etc/cron.d/empty",
		"echo x >/etc/cron.deny",
		"mkdir /etc/cron.hourly",
	},
	trusted: [][2]string{{"/usr/bin/dpkg", `put "/etc/cron.d/pkg.dpkg-new"; rename "/etc/cron.d/pkg.dpkg-new", "/etc/cron.d/pkg"`}},
}, {
	rule: "Service or Start-up Hook Changed",
	attack: []string{
		"cp /tmp/evil /etc/systemd/system/evil.service",
		"mkdir -p /etc/systemd/system/multi-user.target.wants && ln -s ../evil.service /etc/systemd/system/multi-user.target.wants/",
		"mkdir -p /home/user/.config/systemd/user && echo evil >/home/user/.config/systemd/user/evil.timer",
		"echo /tmp/evil >/etc/rc.local",
	},
	lookAlike: []string{
		"mkdir /etc/systemd/system/ssh.service.d",
		"cat /etc/systemd/system/evil.service >/dev/null",
		"echo x >/home/user/.config/other",
	},
	trusted: [][2]string{{"/usr/bin/dpkg", `put "/usr/lib/systemd/system/pkg.service"`}},
}, {
	rule: "Shell Start File Changed",
	attack: []string{
		"echo /tmp/evil >>/root/.bashrc",
		"cp /tmp/evil /etc/profile.d/evil.sh",
		"echo /tmp/evil >/home/user/.zshenv",
		"sed -i '1i /tmp/evil' /etc/profile",
	},
	lookAlike: []string{
		"echo ls >>/root/.bash_history",
		"echo x >/root/.bashrc.bak",
		"cat /root/.bashrc >/dev/null",
	},
	trusted: [][2]string{{"/usr/bin/dpkg", `put "/etc/profile.d/pkg.sh"`}},
}, {
	rule: "Kernel Module or Its Configuration Changed",
	attack: []string{
		"cp /tmp/evil /usr/lib/modules/6/evil.ko",
		"echo 'install usb-storage /tmp/evil' >/etc/modprobe.d/evil.conf",
		"mkdir /etc/modules-load.d && echo evil >/etc/modules-load.d/evil.conf",
	},
	lookAlike: []string{
		"cat /usr/lib/modules/6/evil.ko >/dev/null",
		"echo x >/etc/modules.bak",
	},
	trusted: [][2]string{{"/usr/bin/dpkg", `put "/usr/lib/modules/6/good.ko"`}},
}, {
	rule: "System Program Changed",
	attack: []string{
		"cp /tmp/evil /usr/local/bin/tool",
		"mv /tmp/evil /usr/bin/evil && cp /usr/bin/evil /tmp/evil",
		"ln -s /tmp/evil /usr/local/bin/link",
		"ln -sf /tmp/evil /usr/local/bin/link", // a passing link, renamed over
		"sed -i s/first/evil/ /usr/local/bin/tool",
	},
	lookAlike: []string{
		"cat /usr/local/bin/tool >/dev/null",
		"ls /usr/bin >/dev/null",
		"mkdir -p /opt/bin && echo x >/opt/bin/tool",
		"echo x >/usr/bin2",
	},
	trusted: [][2]string{{"/usr/bin/dpkg", `put "/usr/bin/pkg.dpkg-new"; rename "/usr/bin/pkg.dpkg-new", "/usr/bin/pkg"`}},
}, {
	rule: "Trust Store Changed",
	attack: []string{
		"cp /tmp/evil /usr/local/share/ca-certificates/evil.crt",
		"echo evil >/etc/apt/keyrings/evil.gpg",
	},
	lookAlike: []string{
		"cat /usr/local/share/ca-certificates/evil.crt >/dev/null",
		"mkdir -p /etc/ssl && echo x >/etc/ssl/x.crt",
	},
	trusted: [][2]string{{"/usr/bin/dpkg", `put "/etc/apt/keyrings/pkg.gpg"`}},
}, {
	rule: "Log Removed",
	attack: []string{
		"rm /var/log/auth.log.1",
		"sed -i /second/d /var/log/auth.log",
		"mv /var/log/auth.log /tmp/",
		"rm /var/log/wtmp",
	},
	lookAlike: []string{
		"rm /var/log/app.log",
		"cat /var/log/audit/* 2>/dev/null || true",
		"touch /var/log/auth.log",
	},
	trusted: [][2]string{{"/usr/sbin/logrotate", `rename "/var/log/auth.log", "/var/log/auth.log.1"`}},
}, {
	rule: "Log Written by Another Program",
	attack: []string{
		"echo false >>/var/log/auth.log",
		`perl -e 'open F, "+<", "/var/log/auth.log"; print F "lies"'`, // in place
		"echo x >/var/log/audit/audit.log",
		"echo more >>/var/log/auth.log.2.gz",
	},
	lookAlike: []string{
		"echo x >>/var/log/app.log",
		"echo x >>/var/log/wtmp",
		"tail /var/log/auth.log >/dev/null",
	},
	trusted: [][2]string{{"/usr/sbin/rsyslogd", `put "/var/log/auth.log"`}},
}, {
	rule: "Log Truncated",
	ebpf: [][2]string{
		{": >/var/log/syslog", "Log Written by Another Program"},
		{"truncate -s 1 /var/log/messages", "Log Written by Another Program"},
		{`perl -e 'truncate "/var/log/auth.log", 0 or die'`, ""}, // without an open
		{": >/var/log/wtmp", ""},
	},
	lookAlike: []string{
		": >/var/log/app.log",
		"echo x >>/var/log/wtmp",
		": >>/var/log/messages",
		"truncate -s 1 /tmp/evil",
	},
	trusted: [][2]string{{"/usr/sbin/logrotate", `truncate "/var/log/messages", 0`}},
}, {
	rule: "Privileges Given to a File",
	ebpf: [][2]string{
		{"chmod u+s /usr/local/bin/tool", attributes},
		{"chmod g+s /etc/app/config", ""},
		{"chmod 6755 /etc/app/config", ""}, // setgid it was
		{"install -m 4755 /tmp/evil /etc/app/setuid", ""},
		{"cp -p /etc/app/setuid /etc/app/setuid2", ""},
		{`perl -e 'sysopen F, "/etc/app/born", 0101, 04755 or die'`, ""},
		{"setfattr -n security.capability -v 0x0100000280000000000000000000000000000000 /etc/hosts", ""},
	},
	lookAlike: []string{
		"chmod 4711 /etc/app/setuid", // setuid it was
		"chmod u-s /etc/app/setuid",
		"chmod g+s /etc/app", // a directory hands its group on
		"setfattr -n trusted.note -v x /etc/app/setuid2",
		"setfattr -x security.capability /etc/hosts",
		"chmod 4755 /tmp/evil",
	},
	trusted: [][2]string{{"/usr/bin/dpkg", `chmod 04755, "/usr/local/bin/tool"`}},
}, {
	rule: "Sensitive File Made Writable by Others",
	ebpf: [][2]string{
		{"chmod 666 /etc/shadow", attributes},
		{"chmod 777 /root/.ssh", attributes},
		{"setfacl -m u:65534:rw /etc/sudoers", attributes},
		{"setfacl -m o::rw /etc/cron.d/job", ""},
		{"umask 0 && : >/etc/sudoers.d/new", ""},
		{"umask 0 && mkdir /etc/cron.d/new", ""},
	},
	lookAlike: []string{
		"chmod 664 /etc/cron.d/job",
		"setfacl -m u:65534:r /etc/cron.d/job",
		"setfacl -m u:65534:rw,m::r /etc/cron.d/job", // the mask takes it back
		"setfacl -b /etc/cron.d/job",
		"chmod 666 /etc/app/config",
		"umask 0 && ln -s /tmp/evil /etc/cron.d/.link~ && rm /etc/cron.d/.link~", // its mode means nothing
	},
	trusted: [][2]string{{"/usr/bin/dpkg", `chmod 0666, "/etc/cron.d/job"`}},
}, {
	rule: "Modification Time Set Back",
	ebpf: [][2]string{
		{"touch -d 2001-01-01 /usr/bin/cat", attributes},
		{"touch -d 1960-01-01 /etc/hosts", ""},
		{"touch -r /usr/bin/cat /etc/app/config", ""},
		{`perl -e 'utime 1, 1, "/etc/app/setuid" or die'`, ""},
		{"touch -d 2001-01-01 /tmp/old && cp --attributes-only -p /tmp/old /etc/app/born", ""},
	},
	lookAlike: []string{
		"cp -a /tmp/old /etc/app/copied",
		"cp -a /tmp/old /etc/app/copied", // which stands there by now
		"tar -C /tmp -cf - old | tar -C /etc/app -xf -",
		"rsync -a /tmp/old /etc/app/synced",
		"install -p /tmp/old /etc/app/installed",
		"cp -a /tmp/old /other/ && mv /other/old /etc/app/moved",
		"touch /etc/app/config",
		"touch -a -d 2001-01-01 /etc/app/config", // read long ago
		"touch -d 2001-01-01 /tmp/evil",
	},
	trusted: [][2]string{{"/usr/bin/dpkg", `utime 1, 1, "/usr/bin/cp"`}},
}, {
	rule: attributes,
	attack: []string{
		"chmod 700 /usr/local/bin/tool",
		"chown 65534 /etc/sudoers",
		"touch /etc/ssh/sshd_config",
		"setfattr -n trusted.note -v x /usr/bin/bash",
		"setfattr -x trusted.note /usr/bin/bash",
		"setfacl -m u:65534:r /etc/group",
		"chmod 755 /root/.ssh",
	},
	lookAlike: []string{
		"chmod 600 /etc/hosts",
		"touch /root/.bashrc",
		"stat /etc/shadow >/dev/null",
	},
	trusted: [][2]string{{"/usr/bin/dpkg", `chmod 0711, "/usr/local/bin/tool"`}},
}, {
	rule: "Immutable or Append-Only Flag Changed",
	ebpf: [][2]string{
		{"chattr +i /etc/hosts", ""},
		{"chattr -i /etc/hosts", ""},
		{"chattr +a /var/log/audit/audit.log", ""},
		{"chattr +i /etc/app/born", ""},
		{"chattr =a /etc/app/born", ""}, // one for the other
	},
	lookAlike: []string{
		"chattr +d /etc/hosts",
		"chattr +d /var/log/audit/audit.log", // append-only it was
		"chattr +a /var/log/audit/audit.log",
		"lsattr /etc/hosts >/dev/null",
		"chattr +i /tmp/evil && chattr -i /tmp/evil",
	},
}, {
	rule: "Attempt on a Sensitive File Refused",
	ebpf: [][2]string{
		{asNobody + "rm -f /etc/passwd", ""},
		{asNobody + "mv /etc/passwd /tmp/passwd", ""},
		{asNobody + "mv /tmp/evil /etc/cron.d/evil", ""},
		{asNobody + "chmod 666 /etc/passwd", ""},
		{asNobody + "ln -s /tmp/evil /etc/cron.d/evil", ""},
		{asNobody + "mkdir /etc/cron.d/evil", ""},
		{asNobody + "setfattr -n user.note -v x /etc/passwd", ""},
		{asNobody + "cat /etc/ssh/ssh_host_ed25519_key", ""},
		{asNobody + "sh -c 'echo evil >>/etc/passwd'", ""},
		{asNobody + "/etc/cron.d/job", ""}, // not executable
	},
	lookAlike: []string{
		asNobody + "rm -f /etc/hosts", // not sensitive
		asNobody + "rm /tmp/none",
		asNobody + "ls /etc/polkit-1",
		"! rmdir /etc/cron.d 2>/dev/null", // not empty
		"! mkdir /etc/cron.d 2>/dev/null",
		"! setfattr -x trusted.none /etc/passwd 2>/dev/null",
		"setpriv --reuid 65534 --clear-groups cat /etc/passwd >/dev/null",
	},
}, {
	rule: "Hard Link Made in a Sensitive Directory",
	attack: []string{
		"ln /etc/hosts /etc/x",
		"ln /tmp/evil /etc/app/linked",
		"ln /etc/hosts /etc/x.lock",
	},
	lookAlike: []string{
		"ln -s /etc/shadow /etc/symbolic",
		"cp /etc/hosts /etc/copy",
		"ln /tmp/evil /tmp/linked",
	},
	trusted: [][2]string{{"/usr/sbin/useradd", `link "/etc/passwd", "/etc/passwd.lock"`}},
}}
