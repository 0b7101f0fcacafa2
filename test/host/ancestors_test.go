// SPDX-License-Identifier: Apache-2.0

package host

import (
	"testing"

	"github.com/falco-fim/fim/event"
)

// Falco takes the longest name that a text begins with, and then an index in
// brackets where the field has one.
func TestRulesAskForTheProcessesAboveAndForContainers(t *testing.T) {
	list := func(names ...string) (all [][]byte) {
		for _, name := range names {
			all = append(all, []byte(name))
		}
		return all
	}
	const id = "3f4b8f2d9f6a1c0e5d7b8a9c0d1e2f3a4b5c6d7e8f901a2b3c4d5e6f70819203"
	events := []*event.Event{
		{Op: event.OpModify, Time: 1, Proc: event.Process{
			Pid: 7, Comm: []byte("sh"), Exe: []byte("/bin/sh"), UID: event.Known(0), RUID: event.Known(1000), User: []byte("root"),
			PidNS: event.Known(4026531836), HostMntNS: event.KnownBool(false), Argv: list("sh", "-c"), ArgsCut: true,
			AncestorPids: []uint64{6, 5, 1}, AncestorComms: list("bash", "", "systemd"), AncestorExes: list("/bin/bash", "", "/sbin/init"),
			ParentArgv: list("bash", "-l"),
		}, Container: event.Container{ID: []byte(id), Image: []byte("nginx:1.27")}, Pod: event.Pod{Namespace: []byte("shop")}},
		{Op: event.OpModify, Time: 2, Proc: event.Process{Pid: 8, Comm: []byte("cron")}},
	}
	rules := []Rule{
		{"a parent", "fs.proc.aname[1] = bash and fs.proc.pname = bash and fs.proc.aexepath[1] = /bin/bash", "%fs.proc.aname[0] %fs.proc.apid[0] %fs.proc.apid[1] %fs.proc.aexepath[3] %fs.proc.aname[2] %fs.proc.aname[4] %fs.proc.pcmdline"},
		{"any above", "fs.proc.anames intersects (systemd, sshd)", "%fs.proc.anames"},
		{"beginnings of names", "fs.proc.pid = 7 and fs.proc.pidns = 4026531836 and fs.proc.args_cut = true and fs.proc.args = -c", "%fs.proc.pid %fs.proc.pidns %fs.proc.args %fs.proc.args_cut"},
		{"in a container", "fs.container.id = 3f4b8f2d9f6a and fs.container.image startswith nginx and fs.k8s.ns.name = shop and fs.proc.host_mntns = false", "%fs.container.id %fs.container.full_id"},
		{"on the host", "not fs.container.id exists", "%fs.proc.name %fs.container.id"},
		{"as another user", "fs.user.ruid != 0 and fs.user.uid = 0", "%fs.user.name %fs.user.euid %fs.user.ruid"},
	}
	want := []string{
		"a parent: sh 7 6 /sbin/init <NA> <NA> bash -l",
		"any above: (bash,systemd)",
		"beginnings of names: 7 4026531836 -c true",
		"in a container: 3f4b8f2d9f6a " + id,
		"as another user: root 0 1000",
		"on the host: cron <NA>",
	}
	alertsAre(t, events, rules, want)
}
