// SPDX-License-Identifier: Apache-2.0

package event

// member is one key of the payload and where its value lives in an Event.
type member struct {
	key string
	// at returns *[]byte, *[][]byte, *uint64, *Uint, *bool or *Type.
	at func(*Event) any
}

// members lists the payload's keys behind "v" and "op", the most important
// first: a payload that would not fit loses members from the end. A key is the
// name of the Falco field without its "fs." wherever such a field exists.
//
// To add one: a member of Event, a row here, a line in the golden files.
var members = []member{
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
	{"view_path", func(e *Event) any { return &e.File.ViewPath }},
	{"old.view_path", func(e *Event) any { return &e.Old.ViewPath }},
	{"watch", func(e *Event) any { return &e.Watch }},
	{"type", func(e *Event) any { return &e.File.Type }},
	{"deleted", func(e *Event) any { return &e.File.Deleted }},
	{"size", func(e *Event) any { return &e.File.Size }},
	{"old.inode", func(e *Event) any { return &e.Old.Inode }},
	{"old.size", func(e *Event) any { return &e.Old.Size }},
	{"fstype", func(e *Event) any { return &e.File.FSType }},
	{"link.target", func(e *Event) any { return &e.File.LinkTarget }},
	{"mountpoint", func(e *Event) any { return &e.File.Mountpoint }},
	{"proc.exepath", func(e *Event) any { return &e.Proc.Exe }},
	{"proc.ppid", func(e *Event) any { return &e.Proc.Ppid }},
	{"proc.pid.ts", func(e *Event) any { return &e.Proc.Start }},
	{"proc.cwd", func(e *Event) any { return &e.Proc.Cwd }},
	{"proc.argv", func(e *Event) any { return &e.Proc.Argv }},
	{"truncated", func(e *Event) any { return &e.Truncated }},
}

// byKey finds a member by its key.
var byKey = func() map[string]*member {
	m := make(map[string]*member, len(members))
	for i := range members {
		m[members[i].key] = &members[i]
	}
	return m
}()
