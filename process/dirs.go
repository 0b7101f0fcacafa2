// SPDX-License-Identifier: Apache-2.0

package process

import (
	"encoding/json"
	"regexp"
	"strings"
)

// maxEntries is how many entries of a directory are read. A node runs some hundred
// pods.
const maxEntries = 16384

// directory is a directory of the host whose entries are known until it changes.
type directory struct {
	path string
	at   stamp
	// settled says that a change would show; see [stamp.settled].
	settled bool
}

// entries returns what is in the directory now, and false when that is the same
// as the last time. One that is not there is empty.
func (d *directory) entries(h *Host) (names []string, changed bool) {
	began := wall()
	at := h.stamp(d.path)
	if at == d.at && d.settled {
		return nil, false
	}
	d.at, d.settled = at, at.settled(began)
	names, _ = h.list(d.path, maxEntries)
	return names, true
}

// Kubernetes' names hold lower-case letters, digits, dashes, and of a pod dots
// too, so an underscore ends one.
var (
	podName = regexp.MustCompile(`^([a-z0-9-]+)_([a-z0-9.-]+)_([0-9a-f-]{32,36})$`)
	logName = regexp.MustCompile(`^([a-z0-9.-]+)_([a-z0-9-]+)_([a-z0-9-]+)-([0-9a-f]{64})\.log$`)
)

// podDir is /var/log/pods, where the kubelet has a directory for each pod:
// NAMESPACE_NAME_UID.
type podDir struct {
	directory
	byUID map[string]told
}

func (d *podDir) find(h *Host, uid string) told {
	if names, changed := d.entries(h); changed {
		d.byUID = map[string]told{}
		for _, name := range names {
			if m := podName.FindStringSubmatch(name); m != nil {
				d.byUID[m[3]] = told{namespace: m[1], pod: m[2], uid: m[3]}
			}
		}
	}
	return d.byUID[uid]
}

// logDir is /var/log/containers, where the kubelet has a link for each container:
// POD_NAMESPACE_CONTAINER-ID.log.
type logDir struct {
	directory
	byID map[string]told
}

func (d *logDir) find(h *Host, id string) told {
	if names, changed := d.entries(h); changed {
		d.byID = map[string]told{}
		for _, name := range names {
			if m := logName.FindStringSubmatch(name); m != nil {
				d.byID[m[4]] = told{pod: m[1], namespace: m[2], name: m[3]}
			}
		}
	}
	return d.byID[id]
}

// runcDir is /run/runc, where runc has a directory for each container that it was
// asked for by itself. Its control group bears any name, so the state in that
// directory is what tells.
type runcDir struct {
	directory
	states  map[string]runcState // by id
	byGroup map[string]string    // path to id
	partial bool                 // some state was not written yet
}

// runcState is what a state.json with a stamp says.
type runcState struct {
	at    stamp
	paths []string
}

// maxRunc is how many states are read: each is some 30 KiB.
const maxRunc = 256

// find returns the id of the container whose control group path is, or is below.
func (d *runcDir) find(h *Host, path []byte) []byte {
	if names, changed := d.entries(h); changed || d.partial {
		if !changed {
			names, _ = h.list(d.path, maxEntries)
		}
		d.read(h, names[:min(len(names), maxRunc)])
	}
	if len(d.byGroup) == 0 {
		return nil
	}
	for end := 1; end <= len(path); end++ {
		if end < len(path) && path[end] != '/' {
			continue
		}
		if id, ok := d.byGroup[string(path[:end])]; ok {
			return []byte(id)
		}
	}
	return nil
}

func (d *runcDir) read(h *Host, ids []string) {
	before := d.states
	d.states, d.byGroup, d.partial = map[string]runcState{}, map[string]string{}, false
	for _, id := range ids {
		file := d.path + "/" + id + "/state.json"
		state, known := before[id]
		if at := h.stamp(file); !known || at != state.at {
			state.paths, state.at = readState(h, file, id)
		}
		d.partial = d.partial || state.paths == nil
		d.states[id] = state
		for _, path := range state.paths {
			d.byGroup[path] = id
		}
	}
}

// readState returns the paths of a container's control groups; nil when its state
// is not there yet.
func readState(h *Host, file, id string) (paths []string, at stamp) {
	text, at, err := h.read(file, maxConfig)
	if err != nil {
		return nil, at
	}
	var state struct {
		ID     string            `json:"id"`
		Groups map[string]string `json:"cgroup_paths"`
	}
	if json.Unmarshal(text, &state) != nil || state.ID != id {
		return nil, at
	}
	paths = []string{}
	for controller, dir := range state.Groups {
		if path := belowMount(controller, dir); len(path) > 1 {
			paths = append(paths, path)
		}
	}
	return paths, at
}

// belowMount takes the mountpoint off the directory of a control group: version 1
// has one for each controller, version 2 names none.
func belowMount(controller, dir string) string {
	path, ok := strings.CutPrefix(dir, "/sys/fs/cgroup")
	if !ok || controller == "" {
		return path
	}
	_, path, ok = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !ok {
		return ""
	}
	return "/" + path
}
