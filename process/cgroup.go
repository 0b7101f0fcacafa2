// SPDX-License-Identifier: Apache-2.0

package process

import "bytes"

// place is what the path of a control group says about a container. Its slices
// are parts of the path.
type place struct {
	id      []byte
	runtime string // empty when the path does not tell
	pod     []byte // the uid as the path spells it
	// delegated says that a user manages this part of the hierarchy himself, as
	// systemd lets him: what it says there is what he says.
	delegated bool
}

// idLength is how long the ids are that most runtimes make, in hexadecimal.
const idLength = 64

// scopes are the prefixes of units, and with some runtimes of plain directories,
// that an id follows. What helps a container from outside has a longer one
// (crio-conmon-, libpod-conmon-) and so no id behind these.
var scopes = []struct{ prefix, runtime string }{
	{"docker-", "docker"},
	{"cri-containerd-", "containerd"},
	{"nerdctl-", "containerd"},
	{"crio-", "cri-o"},
	{"libpod-", "podman"},
}

// owners are the directories that hold nothing but containers of one runtime, of
// the cgroupfs drivers.
var owners = map[string]string{"docker": "docker", "k8s.io": "containerd", "libpod_parent": ""}

// parsePlace looks for a container in the path of a control group. The outermost
// counts: below its own group a container may name others as it likes.
func parsePlace(path []byte) (p place, ok bool) {
	var before, part []byte
	kube := false
	for rest := path; len(rest) > 0; before = part {
		if part, rest = nextPart(rest); len(part) == 0 {
			continue
		}
		p.delegated = p.delegated || bytes.HasPrefix(part, []byte("user@")) || string(part) == "user.slice"
		kube = kube || bytes.Contains(part, []byte("kubepods"))
		if uid := podUID(part); kube && uid != nil {
			p.pod = uid
		}
		if p.id, p.runtime = container(before, part, rest); p.id != nil {
			return p, true
		}
	}
	return place{}, false
}

// nextPart cuts the first component off a path.
func nextPart(path []byte) (part, rest []byte) {
	path = bytes.TrimLeft(path, "/")
	if end := bytes.IndexByte(path, '/'); end >= 0 {
		return path[:end], path[end:]
	}
	return path, nil
}

// container returns the id and the runtime that a component names, which stands
// between before and rest.
func container(before, part, rest []byte) (id []byte, runtime string) {
	name, isScope := bytes.CutSuffix(part, []byte(".scope"))
	for _, s := range scopes {
		if id, ok := bytes.CutPrefix(name, []byte(s.prefix)); ok && isID(id) {
			return id, s.runtime
		}
	}
	if id, runtime := named(part, before, isScope, rest); id != nil {
		return id, runtime
	}
	if id, runtime := colons(part); id != nil {
		return id, runtime
	}
	if runtime, known := owners[string(before)]; isID(part) && !(known && runtime == "") {
		return part, runtime
	}
	return nil, ""
}

// colons reads SLICE:RUNTIME:ID, which a driver for systemd means for systemd and
// one for cgroupfs makes a directory of.
func colons(part []byte) (id []byte, runtime string) {
	_, rest, ok := bytes.Cut(part, []byte{':'})
	if !ok {
		return nil, ""
	}
	by, id, _ := bytes.Cut(rest, []byte{':'})
	for _, s := range scopes {
		if string(by) == s.prefix[:len(s.prefix)-1] && isID(id) {
			return id, s.runtime
		}
	}
	return nil, ""
}

// named recognizes the containers that go by a name.
//
// A machine of systemd may be a virtual one, whose processes are the host's and
// lie right in its unit; a container has groups below, and the one called
// supervisor is that of the host's process which looks after it.
func named(part, before []byte, isScope bool, rest []byte) (name []byte, runtime string) {
	if name, ok := bytes.CutPrefix(part, []byte("lxc.payload.")); ok && len(name) > 0 {
		return name, "lxc"
	}
	if (string(before) == "lxc" || string(before) == "lxc.payload") && len(part) > 0 {
		return part, "lxc"
	}
	below, _ := nextPart(rest)
	if len(below) == 0 || string(below) == "supervisor" {
		return nil, ""
	}
	if name, ok := bytes.CutPrefix(part, []byte("systemd-nspawn@")); ok {
		if name, ok = bytes.CutSuffix(name, []byte(".service")); ok && len(name) > 0 {
			return unescapeUnit(name), "systemd-nspawn"
		}
	}
	if name, ok := bytes.CutPrefix(part, []byte("machine-")); ok && isScope && string(before) == "machine.slice" {
		return machine(unescapeUnit(name[:len(name)-len(".scope")]))
	}
	return nil, ""
}

// machine tells by its name what registered a machine with systemd: libvirt says
// it in front, "qemu-1-name" and "lxc-4711-name".
func machine(name []byte) (id []byte, runtime string) {
	switch {
	case len(name) == 0 || bytes.HasPrefix(name, []byte("qemu-")):
		return nil, ""
	case bytes.HasPrefix(name, []byte("lxc-")):
		return name, "lxc"
	}
	return name, "systemd-nspawn"
}

// unescapeUnit undoes \xNN, as systemd.unit(5) escapes names; other escapes stay.
func unescapeUnit(name []byte) []byte {
	if bytes.IndexByte(name, '\\') < 0 {
		return name
	}
	var out []byte
	for i := 0; i < len(name); i++ {
		if high, low, ok := escaped(name[i:]); ok {
			out = append(out, high<<4|low)
			i += 3
		} else {
			out = append(out, name[i])
		}
	}
	return out
}

// escaped reads a \xNN at the start of name.
func escaped(name []byte) (high, low byte, ok bool) {
	if len(name) < 4 || name[0] != '\\' || name[1] != 'x' {
		return 0, 0, false
	}
	high, ok = hexDigit(name[2])
	low, also := hexDigit(name[3])
	return high, low, ok && also
}

func hexDigit(b byte) (v byte, ok bool) {
	switch {
	case b >= '0' && b <= '9':
		return b - '0', true
	case b >= 'a' && b <= 'f':
		return b - 'a' + 10, true
	}
	return 0, false
}

// isID says whether name is an id as most runtimes make them.
func isID(name []byte) bool { return len(name) == idLength && isHex(name) }

func isHex(name []byte) bool {
	for _, b := range name {
		if _, ok := hexDigit(b); !ok {
			return false
		}
	}
	return len(name) > 0
}

// podUID returns the uid of the pod that a component is of, if it is of one:
// "pod<uid>", or as a slice "kubepods-burstable-pod<uid>.slice" with underscores,
// with or without more behind a colon. Static pods have a uid without dashes.
func podUID(part []byte) []byte {
	part, _, _ = bytes.Cut(part, []byte(":"))
	name, isSlice := bytes.CutSuffix(part, []byte(".slice"))
	at := 0
	if isSlice {
		at = bytes.LastIndex(name, []byte("-pod")) + 1
	}
	uid, ok := bytes.CutPrefix(name[at:], []byte("pod"))
	if !ok || !isPodUID(uid) {
		return nil
	}
	return uid
}

// isPodUID says whether uid looks like one: 32 hexadecimal digits, with or without
// separators between them.
func isPodUID(uid []byte) bool {
	const long, short = 36, 32
	if len(uid) == short {
		return isHex(uid)
	}
	for i, b := range uid {
		_, digit := hexDigit(b)
		separator := i == 8 || i == 13 || i == 18 || i == 23
		if separator && b != '-' && b != '_' || !separator && !digit {
			return false
		}
	}
	return len(uid) == long
}

// cgroupPath chooses among the lines of /proc/PID/cgroup, ID:CONTROLLERS:PATH, the
// path that tells most: one with a container, else one that is not the root; of
// version 2 (whose id is 0) before systemd's own hierarchy before others.
func cgroupPath(text []byte) (best []byte) {
	most := -1
	for len(text) > 0 {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte{'\n'})
		id, rest, _ := bytes.Cut(line, []byte{':'})
		controllers, path, ok := bytes.Cut(rest, []byte{':'})
		if !ok || len(path) == 0 || path[0] != '/' {
			continue
		}
		if score := worth(id, controllers, path); score > most {
			best, most = path, score
		}
	}
	return best
}

// BetterGroup chooses between the paths of a process's groups in the hierarchy of
// version 2 and in one of version 1, nil where it has none.
func BetterGroup(second, first []byte) []byte {
	switch {
	case len(first) == 0:
		return second
	case len(second) == 0 || worth(nil, nil, first) > worth([]byte{'0'}, nil, second):
		return first
	}
	return second
}

func worth(id, controllers, path []byte) (score int) {
	if _, ok := parsePlace(path); ok {
		score += 8
	}
	if len(path) > 1 {
		score += 4
	}
	switch {
	case string(id) == "0":
		score += 2
	case string(controllers) == "name=systemd":
		score++
	}
	return score
}
