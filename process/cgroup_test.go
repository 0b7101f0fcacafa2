// SPDX-License-Identifier: Apache-2.0

package process

import (
	"bytes"
	"strings"
	"testing"
)

const (
	id    = "3f4b8f2d9f6a1c0e5d7b8a9c0d1e2f3a4b5c6d7e8f901a2b3c4d5e6f70819203"
	other = "aaaa8f2d9f6a1c0e5d7b8a9c0d1e2f3a4b5c6d7e8f901a2b3c4d5e6f70819203"
	pod   = "0a1b2c3d-0000-4000-8000-0123456789ab"
	slice = "0a1b2c3d_0000_4000_8000_0123456789ab"
	fixed = "0a1b2c3d00004000800001234567890a" // of a static pod
)

// The paths are those that the runtimes make, by driver and version of control
// groups.
var placeCases = []struct {
	what, path  string
	id, runtime string
	pod         string
	delegated   bool
}{
	{"docker, cgroupfs", "/docker/" + id, id, "docker", "", false},
	{"docker, systemd", "/system.slice/docker-" + id + ".scope", id, "docker", "", false},
	{"docker, systemd inside", "/system.slice/docker-" + id + ".scope/init.scope", id, "docker", "", false},
	{"docker with a parent of its own", "/batch/" + id, id, "", "", false},
	{"docker, rootless", "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" + id + ".scope", id, "docker", "", true},
	{"docker in docker", "/docker/" + id + "/docker/" + other, id, "docker", "", false},
	{"kubernetes in docker", "/docker/" + id + "/kubelet/kubepods/pod" + pod + "/" + other, id, "docker", "", false},
	{"ecs", "/ecs/0a1b2c3d00004000800001234567890a/" + id, id, "", "", false},

	{"kubepods, docker, cgroupfs", "/kubepods/besteffort/pod" + pod + "/" + id, id, "", pod, false},
	{"kubepods, guaranteed", "/kubepods/pod" + pod + "/" + id, id, "", pod, false},
	{"kubepods of a static pod", "/kubepods/burstable/pod" + fixed + "/" + id, id, "", fixed, false},
	{"kubepods, docker, systemd", "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + slice + ".slice/docker-" + id + ".scope", id, "docker", slice, false},
	{"kubepods, containerd, systemd", "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + slice + ".slice/cri-containerd-" + id + ".scope", id, "containerd", slice, false},
	{"kubepods, guaranteed, systemd", "/kubepods.slice/kubepods-pod" + slice + ".slice/cri-containerd-" + id + ".scope", id, "containerd", slice, false},
	{"kubepods, containerd, drivers at odds", "/system.slice/containerd.service/kubepods-burstable-pod" + slice + ".slice:cri-containerd:" + id, id, "containerd", slice, false},
	{"kubepods, cri-o, systemd", "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + slice + ".slice/crio-" + id + ".scope", id, "cri-o", slice, false},
	{"kubepods, cri-o, systemd inside", "/kubepods.slice/kubepods-pod" + slice + ".slice/crio-" + id + ".scope/container", id, "cri-o", slice, false},
	{"kubepods, cri-o, cgroupfs", "/kubepods/burstable/pod" + pod + "/crio-" + id, id, "cri-o", pod, false},
	{"kubepods below a root of its own", "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod" + slice + ".slice/cri-containerd-" + id + ".scope", id, "containerd", slice, false},
	{"kubepods, seen from another pod", "/../../kubepods-besteffort-pod" + slice + ".slice/cri-containerd-" + id + ".scope", id, "containerd", slice, false},
	{"the pod itself", "/kubepods/besteffort/pod" + pod, "", "", "", false},

	{"containerd, namespace k8s.io", "/k8s.io/" + id, id, "containerd", "", false},
	{"containerd, ctr and nerdctl, cgroupfs", "/default/" + id, id, "", "", false},
	{"nerdctl, systemd", "/system.slice/nerdctl-" + id + ".scope", id, "containerd", "", false},

	{"podman, systemd", "/machine.slice/libpod-" + id + ".scope/container", id, "podman", "", false},
	{"podman, systemd, version 1", "/machine.slice/libpod-" + id + ".scope", id, "podman", "", false},
	{"podman, cgroupfs", "/libpod_parent/libpod-" + id, id, "podman", "", false},
	{"podman, pod, cgroupfs", "/libpod_parent/" + other + "/libpod-" + id, id, "podman", "", false},
	{"podman, pod, systemd", "/machine.slice/machine-libpod_pod_" + other + ".slice/libpod-" + id + ".scope", id, "podman", "", false},
	{"podman, rootless", "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id + ".scope/container", id, "podman", "", true},
	{"podman's monitor", "/machine.slice/libpod-conmon-" + id + ".scope", "", "", "", false},
	{"podman's monitor, cgroupfs", "/libpod_parent/conmon", "", "", "", false},
	{"cri-o's monitor", "/kubepods.slice/kubepods-pod" + slice + ".slice/crio-conmon-" + id + ".scope", "", "", "", false},

	{"nspawn, as a service", "/machine.slice/systemd-nspawn@web.service/payload/init.scope", "web", "systemd-nspawn", "", false},
	{"nspawn, as a service, version 1", "/machine.slice/systemd-nspawn@web.service/init.scope", "web", "systemd-nspawn", "", false},
	{"nspawn, by hand", `/machine.slice/machine-my\x2dweb.scope/payload`, "my-web", "systemd-nspawn", "", false},
	{"nspawn's own process", "/machine.slice/machine-web.scope/supervisor", "", "", "", false},
	{"nspawn's own process, as a service", "/machine.slice/systemd-nspawn@web.service/supervisor", "", "", "", false},
	{"libvirt, a container", `/machine.slice/machine-lxc\x2d4711\x2dweb.scope/init.scope`, "lxc-4711-web", "lxc", "", false},
	{"libvirt, a virtual machine", `/machine.slice/machine-qemu\x2d1\x2dweb.scope/libvirt/emulator`, "", "", "", false},
	{"a virtual machine of systemd", "/machine.slice/machine-web.scope", "", "", "", false},

	{"lxc", "/lxc.payload.web", "web", "lxc", "", false},
	{"lxc 4.0", "/lxc.payload/web/init.scope", "web", "lxc", "", false},
	{"lxc, version 1", "/lxc/web/system.slice/cron.service", "web", "lxc", "", false},
	{"lxd, in a project", "/lxc.payload.shop_web/init.scope", "shop_web", "lxc", "", false},
	{"lxc, docker inside", "/lxc.payload.web/docker/" + id, "web", "lxc", "", false},
	{"lxc's monitor", "/lxc.monitor.web", "", "", "", false},

	{"the root", "/", "", "", "", false},
	{"nothing", "", "", "", "", false},
	{"a service", "/system.slice/cron.service", "", "", "", false},
	{"a session", "/user.slice/user-1000.slice/session-3.scope", "", "", "", false},
	{"docker's daemon", "/system.slice/docker.service", "", "", "", false},
	{"containerd's daemon", "/system.slice/containerd.service", "", "", "", false},
	{"an id too short", "/docker/" + id[1:], "", "", "", false},
	{"an id too long", "/docker/" + id + "0", "", "", "", false},
	{"an id in upper case", "/docker/" + strings.ToUpper(id), "", "", "", false},
	{"32 digits", "/process_api/" + id[:32], "", "", "", false},
	{"an id that ends a name", "/system.slice/my-docker-" + id + ".scope", "", "", "", false},
	{"a pod in the name alone", "/system.slice/pod" + pod + ".slice/" + id, id, "", "", false},
	{"slashes", "//docker///" + id + "//", id, "docker", "", false},
	{"a name that is no text", "/\xff\x1b[2J/docker-\xff.scope", "", "", "", false},
	{"colons", "/a:b:" + id, "", "", "", false},
	{"an empty machine", "/machine.slice/machine-.scope/payload", "", "", "", false},
	{"an escape cut short", `/machine.slice/machine-a\x2.scope/payload`, `a\x2`, "systemd-nspawn", "", false},
}

func TestTheContainerIsToldByThePathOfTheControlGroup(t *testing.T) {
	for _, c := range placeCases {
		p, ok := parsePlace([]byte(c.path))
		if string(p.id) != c.id || p.runtime != c.runtime || string(p.pod) != c.pod || p.delegated != c.delegated || ok != (c.id != "") {
			t.Errorf("%s: %s\n got %q, %q, pod %q, delegated %v", c.what, c.path, p.id, p.runtime, p.pod, p.delegated)
		}
	}
}

// Whoever is in a container may make groups below its own, and names them.
func TestAContainerCannotPassForAnother(t *testing.T) {
	for _, c := range placeCases {
		if c.id == "" {
			continue
		}
		for _, forged := range []string{"/docker/" + other, "/lxc.payload.x/y", "/kubepods/pod" + pod + "/" + other} {
			if p, _ := parsePlace([]byte(c.path + forged)); string(p.id) != c.id || string(p.pod) != c.pod {
				t.Errorf("%s and %s below: got %q of pod %q", c.path, forged, p.id, p.pod)
			}
		}
	}
}

func TestOfSeveralHierarchiesTheOneThatTellsMostIsTaken(t *testing.T) {
	for text, want := range map[string]string{
		"0::/system.slice/docker-" + id + ".scope\n": "/system.slice/docker-" + id + ".scope",
		"0::/\n": "/",
		"12:pids:/docker/" + id + "\n1:name=systemd:/docker/" + id + "\n0::/system.slice/containerd.service\n": "/docker/" + id,
		"4:memory:/session/1\n2:cpu:/\n1:name=systemd:/user.slice\n0::/\n":                                     "/user.slice",
		"4:memory:/session/1\n1:name=systemd:/\n0::/\n":                                                        "/session/1",
		"1:name=systemd:/a\n0::/b\n":                                                                           "/b",
		"3:cpu,cpuacct:/a:b:c\n":                                                                               "/a:b:c",
		"0::/../../x":                                                                                          "/../../x",
		"":                                                                                                     "",
		"junk\n::\n0:x\n1:y:relative\n":                                                                        "",
	} {
		if got := cgroupPath([]byte(text)); string(got) != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func FuzzPlace(f *testing.F) {
	for _, c := range placeCases {
		f.Add([]byte(c.path))
	}
	f.Fuzz(func(t *testing.T, path []byte) {
		p, ok := parsePlace(path)
		if ok != (len(p.id) > 0) || len(p.id) > len(path) {
			t.Fatalf("%q: %v, %q", path, ok, p.id)
		}
		if ok && !bytes.ContainsRune(p.id, '/') {
			return
		}
		if ok && !bytes.Contains(path, []byte(`\x2f`)) { // a name may hold an escaped slash
			t.Fatalf("%q: id %q", path, p.id)
		}
	})
}
