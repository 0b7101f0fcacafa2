// SPDX-License-Identifier: Apache-2.0

package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/falco-fim/fim/event"
)

const (
	dockerFile     = `{"State":{"Pid":7},"ID":"` + id + `","Config":{"Image":"nginx:1.27","Labels":{"a":"b"}},"Name":"/web"}`
	dockerKubeFile = `{"ID":"` + id + `","Config":{"Image":"sha256:11","Labels":{"io.kubernetes.container.name":"web","io.kubernetes.pod.name":"web-0","io.kubernetes.pod.namespace":"shop","io.kubernetes.pod.uid":"` + pod + `"}},"Name":"/k8s_web_web-0_shop_` + pod + `_0"}`
	containerdFile = `{"ociVersion":"1.1.0","process":{"args":["x"]},"annotations":{"io.kubernetes.cri.container-name":"web","io.kubernetes.cri.container-type":"container","io.kubernetes.cri.image-name":"docker.io/library/nginx:1.27","io.kubernetes.cri.sandbox-name":"web-0","io.kubernetes.cri.sandbox-namespace":"shop","io.kubernetes.cri.sandbox-uid":"` + pod + `"}}`
	sandboxFile    = `{"annotations":{"io.kubernetes.cri.container-type":"sandbox","io.kubernetes.cri.sandbox-name":"web-0","io.kubernetes.cri.sandbox-namespace":"shop","io.kubernetes.cri.sandbox-uid":"` + pod + `"}}`
	crioFile       = `{"annotations":{"io.container.manager":"cri-o","io.kubernetes.cri-o.ContainerType":"container","io.kubernetes.cri-o.ImageName":"quay.io/nginx:1.27","io.kubernetes.container.name":"web","io.kubernetes.pod.name":"web-0","io.kubernetes.pod.namespace":"shop","io.kubernetes.pod.uid":"` + pod + `"}}`
	libpodFile     = `{"annotations":{"io.container.manager":"libpod"}}`
	podmanFile     = `[{"id":"` + other + `","names":["other"]},{"id":"` + id + `","names":["web"],"image":"11","metadata":"{\"image-name\":\"docker.io/library/nginx:1.27\",\"image-id\":\"11\",\"name\":\"web\"}"}]`
	nerdctlFile    = `{"annotations":{"nerdctl/name":"web","nerdctl/namespace":"default"}}`

	containerdDir = "run/containerd/io.containerd.runtime.v2.task/"
	storageDir    = "/containers/storage/overlay-containers/"
)

var (
	kubePath = "/kubepods/besteffort/pod" + pod + "/" + id
	podPath  = "var/log/pods/shop_web-0_" + pod
	logPath  = "var/log/containers/web-0_shop_web-" + id + ".log"
)

// The files are as the runtimes write them, without what is not read.
var describeCases = []struct {
	what, path string
	files      map[string]string
	want       string // runtime name image | pod namespace uid
}{
	{"docker", "/docker/" + id, map[string]string{"var/lib/docker/containers/" + id + "/config.v2.json": dockerFile}, "docker web nginx:1.27 |   "},
	{"docker of Kubernetes", kubePath, map[string]string{"var/lib/docker/containers/" + id + "/config.v2.json": dockerKubeFile}, "docker web sha256:11 | web-0 shop " + pod},
	{"containerd", kubePath, map[string]string{containerdDir + "k8s.io/" + id + "/config.json": containerdFile}, "containerd web docker.io/library/nginx:1.27 | web-0 shop " + pod},
	{"containerd of k3s", kubePath, map[string]string{"run/k3s/" + strings.TrimPrefix(containerdDir, "run/") + "k8s.io/" + id + "/config.json": containerdFile}, "containerd web docker.io/library/nginx:1.27 | web-0 shop " + pod},
	{"what holds a pod together", kubePath, map[string]string{containerdDir + "k8s.io/" + id + "/config.json": sandboxFile}, "containerd   | web-0 shop " + pod},
	{"nerdctl", "/default/" + id, map[string]string{containerdDir + "default/" + id + "/config.json": nerdctlFile}, "containerd web  |   "},
	{"cri-o", kubePath, map[string]string{"run" + storageDir + id + "/userdata/config.json": crioFile}, "cri-o web quay.io/nginx:1.27 | web-0 shop " + pod},
	{"cri-o, by its path", "/kubepods/pod" + pod + "/crio-" + id, map[string]string{"var/lib" + storageDir + id + "/userdata/config.json": crioFile}, "cri-o web quay.io/nginx:1.27 | web-0 shop " + pod},
	{"podman", "/machine.slice/libpod-" + id + ".scope/container", map[string]string{"var/lib" + storageDir + "containers.json": podmanFile, "var/lib" + storageDir + id + "/userdata/config.json": libpodFile}, "podman web docker.io/library/nginx:1.27 |   "},
	{"podman, in a group without its name", "/batch/" + id, map[string]string{"var/lib" + storageDir + "containers.json": podmanFile, "var/lib" + storageDir + id + "/userdata/config.json": libpodFile}, "podman web docker.io/library/nginx:1.27 |   "},
	{"logs alone", kubePath, map[string]string{podPath + "/web/0.log": "", logPath: ""}, " web  | web-0 shop " + pod},
	{"the log of the pod alone", kubePath, map[string]string{podPath + "/web/0.log": ""}, "   | web-0 shop " + pod},
	{"the log of the container alone", "/k8s.io/" + id, map[string]string{logPath: ""}, "containerd web  | web-0 shop "},
	{"no files", "/kubepods.slice/kubepods-pod" + slice + ".slice/crio-" + id + ".scope", nil, "cri-o   |   " + pod},
	{"lxc", "/lxc.payload.web", nil, "lxc web  |   "},
	{"files of others", "/docker/" + id, map[string]string{
		"var/lib/docker/containers/" + id + "/config.v2.json": strings.ReplaceAll(dockerFile, id, other), logPath + "x": "",
	}, "docker   |   "},
	{"files that are none", kubePath, map[string]string{
		"var/lib/docker/containers/" + id + "/config.v2.json": "{", containerdDir + "k8s.io/" + id + "/config.json": "[]",
		"run" + storageDir + id + "/userdata/config.json": "", "var/lib" + storageDir + "containers.json": `{"a":1}`,
		"var/log/pods/SHOP_web-0_" + pod + "/x": "", "var/log/pods/shop_web_0_" + pod + "/x": "", "var/log/pods/junk/x": "",
	}, "   |   " + pod},
	{"a file that is too long", "/docker/" + id, map[string]string{
		"var/lib/docker/containers/" + id + "/config.v2.json": strings.Repeat(" ", maxConfig) + dockerFile,
	}, "docker   |   "},
	{"a user who names the container of another", "/user.slice/user-1000.slice/user@1000.service/docker-" + id + ".scope",
		map[string]string{"var/lib/docker/containers/" + id + "/config.v2.json": dockerFile}, "docker   |   "},
	{"a host process", "/system.slice/cron.service", map[string]string{podPath + "/x": ""}, "   |   "},
}

func TestTheFilesOfTheHostTellOfAContainer(t *testing.T) {
	for _, c := range describeCases {
		_, h := host(t, c.files)
		if got := describe(NewContainers(h), c.path); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.what, got, c.want)
		}
	}
}

func fill(c *Containers, path string) *event.Event {
	e := &event.Event{Proc: event.Process{Cgroup: []byte(path)}}
	c.Fill(e)
	return e
}

func describe(c *Containers, path string) string {
	e := fill(c, path)
	return fmt.Sprintf("%s %s %s | %s %s %s", e.Container.Runtime, e.Container.Name, e.Container.Image, e.Pod.Name, e.Pod.Namespace, e.Pod.UID)
}

func TestAHostProcessHasNoContainer(t *testing.T) {
	_, h := host(t, nil)
	c := NewContainers(h)
	for _, path := range []string{"", "/", "/system.slice/cron.service", "/user.slice/user-0.slice/session-1.scope"} {
		e := fill(c, path)
		if e.Container.ID != nil || e.Container.Runtime != nil || e.Pod.UID != nil {
			t.Errorf("%s: got %+v, %+v", path, e.Container, e.Pod)
		}
	}
}

// later has c look at a path again, as if that time had passed.
func later(c *Containers, path string) { c.groups[path].next = 0 }

func TestWhatARuntimeWritesLaterIsSeen(t *testing.T) {
	dir, h := host(t, nil)
	c, path := NewContainers(h), "/docker/"+id
	file := filepath.Join(dir, "var/lib/docker/containers", id, "config.v2.json")
	if got := describe(c, path); got != "docker   |   " {
		t.Errorf("before: got %q", got)
	}
	put(t, file, dockerFile)
	later(c, path)
	if got := describe(c, path); got != "docker web nginx:1.27 |   " {
		t.Errorf("once it is there: got %q", got)
	}
	put(t, file+".tmp", strings.ReplaceAll(dockerFile, "/web", "/renamed"))
	if err := os.Rename(file+".tmp", file); err != nil {
		t.Fatal(err)
	}
	later(c, path)
	if got := describe(c, path); got != "docker renamed nginx:1.27 |   " {
		t.Errorf("renamed: got %q", got)
	}
	if err := os.RemoveAll(filepath.Dir(file)); err != nil {
		t.Fatal(err)
	}
	later(c, path)
	if got := describe(c, path); got != "docker   |   " {
		t.Errorf("removed: got %q", got)
	}
}

func TestAPodThatComesLaterIsSeen(t *testing.T) {
	dir, h := host(t, map[string]string{"var/log/pods/a_b_" + strings.Repeat("0", 32) + "/x": ""})
	c := NewContainers(h)
	describe(c, kubePath)
	put(t, filepath.Join(dir, podPath, "web/0.log"), "")
	later(c, kubePath)
	if got := describe(c, kubePath); got != "   | web-0 shop "+pod {
		t.Errorf("got %q", got)
	}
}

func TestAContainerOfRuncIsFoundByItsState(t *testing.T) {
	state := func(id, group, controller string) string {
		return `{"id":"` + id + `","init_process_pid":7,"cgroup_paths":{"` + controller + `":"/sys/fs/cgroup` + group + `"}}`
	}
	dir, h := host(t, map[string]string{
		"run/runc/two/state.json":    state("two", "/my/group", ""),
		"run/runc/one/state.json":    state("one", "/cpu,cpuacct/v1/one", "cpu"),
		"run/runc/root/state.json":   state("root", "/", ""),
		"run/runc/forged/state.json": state("two", "/forged", ""),
		"run/runc/junk/state.json":   "{",
	})
	c := NewContainers(h)
	for path, want := range map[string]string{
		"/my/group": "two", "/my/group/below": "two", "/my/groups": "", "/my": "", "/v1/one": "one", "/one": "",
		"/": "", "/forged": "", "/late": "",
	} {
		if e := fill(c, path); string(e.Container.ID) != want || (want != "") != (string(e.Container.Runtime) == "runc") {
			t.Errorf("%s: got %q of %q, want %q", path, e.Container.ID, e.Container.Runtime, want)
		}
	}
	put(t, filepath.Join(dir, "run/runc/late/state.json"), state("late", "/late", ""))
	later(c, "/late")
	if e := fill(c, "/late"); string(e.Container.ID) != "late" {
		t.Errorf("got %q", e.Container.ID)
	}
}

func TestNoMoreGroupsAreRememberedThanThereIsRoomFor(t *testing.T) {
	_, h := host(t, nil)
	c := NewContainers(h)
	for i := range 2*maxGroups + 10 {
		fill(c, fmt.Sprintf("/user.slice/%d", i))
		if len(c.groups) > maxGroups {
			t.Fatalf("%d groups", len(c.groups))
		}
	}
}

func TestAKnownContainerTakesNoMemory(t *testing.T) {
	_, h := host(t, nil)
	c := NewContainers(h)
	e := fill(c, "/docker/"+id)
	c.groups["/docker/"+id].next = 1<<64 - 1
	if n := testing.AllocsPerRun(100, func() { c.Fill(e) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzRuntimeFiles(f *testing.F) {
	for _, text := range []string{dockerFile, dockerKubeFile, containerdFile, crioFile, podmanFile, nerdctlFile} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, r := range runtimeFiles {
			if got, err := r.parse(text, id); err != nil && got != (told{}) {
				t.Errorf("%s: %+v with %v", r.path, got, err)
			}
		}
	})
}
