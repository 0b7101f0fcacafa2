// SPDX-License-Identifier: Apache-2.0

package process

import (
	"bytes"

	"github.com/falco-fim/fim/event"
)

// maxGroups is how many control groups are remembered. Whoever makes more has the
// files of containers looked at again, no more.
const maxGroups = 4096

// The pauses before a container whose files did not tell all is looked for again,
// on CLOCK_BOOTTIME in nanoseconds: a runtime writes them as the container starts.
const (
	firstRetry = 100_000_000
	lastRetry  = 10_000_000_000
)

// Containers tell the container of a control group, from its path and from the
// files of the runtimes and of Kubernetes on the host. No runtime is asked. It is
// not safe for concurrent use.
type Containers struct {
	host   *Host
	groups map[string]*group
	pods   podDir
	logs   logDir
	runc   runcDir
}

// NewContainers returns the containers of host.
func NewContainers(host *Host) *Containers {
	c := &Containers{host: host, groups: map[string]*group{}}
	c.pods.path, c.logs.path, c.runc.path = "var/log/pods", "var/log/containers", "run/runc"
	return c
}

// group is what is known of the processes in one control group.
type group struct {
	container event.Container
	pod       event.Pod
	// from is the file that told most, and at its stamp then.
	from string
	at   stamp
	// next is when to look again, and pause how long that was put off.
	next, pause uint64
}

// Fill sets the container and the pod of e, whose control group is known. A
// process of the host has none.
func (c *Containers) Fill(e *event.Event) {
	if len(e.Proc.Cgroup) == 0 {
		return
	}
	g := c.find(e.Proc.Cgroup, bootNow())
	e.Container, e.Pod = g.container, g.pod
}

// find returns the group of a path.
func (c *Containers) find(path []byte, now uint64) *group {
	g := c.groups[string(path)]
	if g != nil && now < g.next {
		return g
	}
	if g != nil && g.from != "" && c.host.stamp(g.from) == g.at {
		g.next = now + recheck
		return g
	}
	if g == nil {
		if len(c.groups) >= maxGroups {
			clear(c.groups)
		}
		g = &group{pause: firstRetry / 2}
		c.groups[string(path)] = g
	}
	c.look(path, g, now)
	return g
}

// look makes g say all that is known now, and decides when that is looked at again.
func (c *Containers) look(path []byte, g *group, now uint64) {
	pause := min(2*g.pause, lastRetry)
	*g = group{pause: pause, next: now + pause}
	p, ok := parsePlace(path)
	if !ok {
		g.container.ID = c.runc.find(c.host, path)
		if g.container.ID != nil {
			g.container.Runtime = []byte("runc")
		}
		g.next = now + recheck
		return
	}
	g.container.ID = bytes.Clone(p.id)
	g.container.Runtime = []byte(p.runtime)
	if !isID(p.id) {
		g.container.Name = g.container.ID
	}
	if p.delegated {
		return // a user could name the container of another here
	}
	c.describe(g, &p)
	if g.from != "" {
		g.next = now + recheck
	}
}

// describe asks the files of the runtimes, and where they are silent the names of
// logs.
func (c *Containers) describe(g *group, p *place) {
	if !isID(p.id) {
		return
	}
	id, uid := string(p.id), string(bytes.ReplaceAll(p.pod, []byte("_"), []byte("-")))
	var pod told
	if uid != "" {
		pod = c.pods.find(c.host, uid)
	}
	var by told
	by, g.from, g.at = c.host.ask(p.runtime, id)
	log := c.logs.find(c.host, id)
	g.container.Runtime = first(p.runtime, by.runtime)
	g.container.Name, g.container.Image = first(by.name, log.name), first(by.image)
	g.pod.Name = first(by.pod, pod.pod, log.pod)
	g.pod.Namespace = first(by.namespace, pod.namespace, log.namespace)
	g.pod.UID = first(by.uid, uid)
}

// first returns the first of names that is known.
func first(names ...string) []byte {
	for _, name := range names {
		if name != "" {
			return []byte(name)
		}
	}
	return nil
}
