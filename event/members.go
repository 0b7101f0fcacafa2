// SPDX-License-Identifier: Apache-2.0

package event

// row is one key of the payload and where its value lives in an Event.
type row struct {
	key string
	// at returns *[]byte, *[][]byte, *uint64, *[]uint64, *Uint, *octal, *bool,
	// *Bool or *Type.
	at func(*Event) any
}

// member is a row with what stands in front of its value: ,"key":
type member struct {
	row
	lead string
}

// octal is a number that the payload has as text, in octal with at least four
// digits: a mode as people write it, and as the field shows it.
type octal Uint

// members lists the payload's keys behind "v" and "op", the most important
// first: a payload that would not fit loses members from the end, and the very
// last tells of it. A key is the name of the Falco field without its "fs."
// wherever such a field exists.
//
// To add one: a member of Event, a row here, a line in the golden files.
var members = led([]row{
	{"ts", func(e *Event) any { return &e.Time }},
	{"failed", func(e *Event) any { return &e.Failed }},
	{"res", func(e *Event) any { return &e.Res }},
	{"lost.count", func(e *Event) any { return &e.Lost.Count }},
	{"lost.reason", func(e *Event) any { return &e.Lost.Reason }},
	{"inode", func(e *Event) any { return &e.File.Inode }},
	{"dev", func(e *Event) any { return &e.File.Dev }},
	{"host_path", func(e *Event) any { return &e.File.HostPath }},
	{"old.host_path", func(e *Event) any { return &e.Old.HostPath }},
	{"proc.pid", func(e *Event) any { return &e.Proc.Pid }},
	{"proc.tid", func(e *Event) any { return &e.Proc.Tid }},
	{"user.uid", func(e *Event) any { return &e.Proc.UID }},
	{"group.gid", func(e *Event) any { return &e.Proc.GID }},
	{"user.loginuid", func(e *Event) any { return &e.Proc.LoginUID }},
	{"proc.name", func(e *Event) any { return &e.Proc.Comm }},
	{"container.full_id", func(e *Event) any { return &e.Container.ID }},
	{"view_path", func(e *Event) any { return &e.File.ViewPath }},
	{"old.view_path", func(e *Event) any { return &e.Old.ViewPath }},
	{"watch", func(e *Event) any { return &e.Watch }},
	{"reason", func(e *Event) any { return &e.Reason }},
	{"alias_path", func(e *Event) any { return &e.File.AliasPath }},
	{"type", func(e *Event) any { return &e.File.Type }},
	{"flags", func(e *Event) any { return &e.Flags }},
	{"mode", func(e *Event) any { return (*octal)(&e.File.Mode) }},
	{"owner.uid", func(e *Event) any { return &e.File.UID }},
	{"owner.gid", func(e *Event) any { return &e.File.GID }},
	{"xattr.name", func(e *Event) any { return &e.File.XattrName }},
	{"old.mode", func(e *Event) any { return (*octal)(&e.Old.Mode) }},
	{"old.owner.uid", func(e *Event) any { return &e.Old.UID }},
	{"old.owner.gid", func(e *Event) any { return &e.Old.GID }},
	{"old.flags", func(e *Event) any { return &e.Old.Flags }},
	{"deleted", func(e *Event) any { return &e.File.Deleted }},
	{"size", func(e *Event) any { return &e.File.Size }},
	{"old.inode", func(e *Event) any { return &e.Old.Inode }},
	{"old.size", func(e *Event) any { return &e.Old.Size }},
	{"mtime", func(e *Event) any { return &e.File.Mtime }},
	{"old.mtime", func(e *Event) any { return &e.Old.Mtime }},
	{"nlink", func(e *Event) any { return &e.File.Nlink }},
	{"atime", func(e *Event) any { return &e.File.Atime }},
	{"mount_id", func(e *Event) any { return &e.File.MountID }},
	{"layer", func(e *Event) any { return &e.File.Layer }},
	{"real.inode", func(e *Event) any { return &e.File.RealInode }},
	{"real.dev", func(e *Event) any { return &e.File.RealDev }},
	{"fstype", func(e *Event) any { return &e.File.FSType }},
	{"link.target", func(e *Event) any { return &e.File.LinkTarget }},
	{"mountpoint", func(e *Event) any { return &e.File.Mountpoint }},
	{"proc.exepath", func(e *Event) any { return &e.Proc.Exe }},
	{"proc.ppid", func(e *Event) any { return &e.Proc.Ppid }},
	{"proc.pid.ts", func(e *Event) any { return &e.Proc.Start }},
	{"proc.cwd", func(e *Event) any { return &e.Proc.Cwd }},
	{"acl", func(e *Event) any { return &e.File.ACL }},
	{"old.acl", func(e *Event) any { return &e.Old.ACL }},
	{"user.name", func(e *Event) any { return &e.Proc.User }},
	{"user.ruid", func(e *Event) any { return &e.Proc.RUID }},
	{"user.loginname", func(e *Event) any { return &e.Proc.Login }},
	{"group.name", func(e *Event) any { return &e.Proc.Group }},
	{"group.rgid", func(e *Event) any { return &e.Proc.RGID }},
	{"owner.name", func(e *Event) any { return &e.File.Owner }},
	{"owner.group", func(e *Event) any { return &e.File.Group }},
	{"proc.vpid", func(e *Event) any { return &e.Proc.Vpid }},
	{"proc.sid", func(e *Event) any { return &e.Proc.SID }},
	{"proc.tty", func(e *Event) any { return &e.Proc.TTY }},
	{"proc.tname", func(e *Event) any { return &e.Proc.ThreadComm }},
	{"proc.mntns", func(e *Event) any { return &e.Proc.MntNS }},
	{"proc.pidns", func(e *Event) any { return &e.Proc.PidNS }},
	{"proc.host_mntns", func(e *Event) any { return &e.Proc.HostMntNS }},
	{"container.runtime", func(e *Event) any { return &e.Container.Runtime }},
	{"container.name", func(e *Event) any { return &e.Container.Name }},
	{"container.image", func(e *Event) any { return &e.Container.Image }},
	{"k8s.pod.name", func(e *Event) any { return &e.Pod.Name }},
	{"k8s.pod.uid", func(e *Event) any { return &e.Pod.UID }},
	{"k8s.ns.name", func(e *Event) any { return &e.Pod.Namespace }},
	{"cgroup", func(e *Event) any { return &e.Proc.Cgroup }},
	{"proc.args_cut", func(e *Event) any { return &e.Proc.ArgsCut }},
	{"proc.argv", func(e *Event) any { return &e.Proc.Argv }},
	{"proc.apid", func(e *Event) any { return &e.Proc.AncestorPids }},
	{"proc.aname", func(e *Event) any { return &e.Proc.AncestorComms }},
	{"proc.pargv", func(e *Event) any { return &e.Proc.ParentArgv }},
	{"proc.aexepath", func(e *Event) any { return &e.Proc.AncestorExes }},
	{"truncated", func(e *Event) any { return &e.Truncated }},
})

func led(rows []row) []member {
	members := make([]member, len(rows))
	for i, r := range rows {
		members[i] = member{r, `,"` + r.key + `":`}
	}
	return members
}

// byKey finds a member by its key.
var byKey = func() map[string]*member {
	m := make(map[string]*member, len(members))
	for i := range members {
		m[members[i].key] = &members[i]
	}
	return m
}()
