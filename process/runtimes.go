// SPDX-License-Identifier: Apache-2.0

package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// How long a runtime's file of one container may be, in bytes, and one of all.
const (
	maxConfig = 2 << 20
	maxStore  = 16 << 20
)

// told is what the files of the host tell of a container; what they do not is
// empty.
type told struct {
	runtime, name, image string
	pod, namespace, uid  string
}

// runtimeFile is where a runtime writes what it knows of a container.
type runtimeFile struct {
	runtime string
	path    string // ID stands for the id
	limit   int    // of its length
	parse   func(text []byte, id string) (told, error)
}

// runtimeFiles are asked in this order, those of the runtime alone where that is
// known; the first that tells is taken.
var runtimeFiles = []runtimeFile{
	{"docker", "var/lib/docker/containers/ID/config.v2.json", maxConfig, parseDocker},
	{"containerd", "run/containerd/io.containerd.runtime.v2.task/k8s.io/ID/config.json", maxConfig, parseSpec},
	{"containerd", "run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/ID/config.json", maxConfig, parseSpec},
	{"containerd", "run/containerd/io.containerd.runtime.v2.task/default/ID/config.json", maxConfig, parseSpec},
	{"cri-o", "run/containers/storage/overlay-containers/ID/userdata/config.json", maxConfig, parseSpec},
	{"cri-o", "var/lib/containers/storage/overlay-containers/ID/userdata/config.json", maxConfig, parseSpec},
	{"podman", "var/lib/containers/storage/overlay-containers/containers.json", maxStore, parseStore},
	{"podman", "run/containers/storage/overlay-containers/containers.json", maxStore, parseStore},
}

// ask returns what the files of a runtime, or of any, tell of a container, and
// which file it was.
func (h *Host) ask(runtime, id string) (t told, path string, at stamp) {
	for i := range runtimeFiles {
		f := &runtimeFiles[i]
		if runtime != "" && runtime != f.runtime {
			continue
		}
		path := strings.Replace(f.path, "ID", id, 1)
		text, at, err := h.read(path, f.limit)
		if err != nil {
			continue
		}
		if t, err := f.parse(text, id); err == nil {
			return t, path, at
		}
	}
	return told{}, "", stamp{}
}

// errOther is said of a file that tells of other containers.
var errOther = errors.New("not of this container")

// parseDocker reads docker's own file of a container. Where Kubernetes made it,
// labels tell for which of the pod's containers.
func parseDocker(text []byte, id string) (told, error) {
	var file struct {
		ID     string
		Name   string
		Config struct {
			Image  string
			Labels map[string]string
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return told{}, fmt.Errorf("config.v2.json: %w", err)
	}
	if file.ID != id {
		return told{}, errOther
	}
	t := kubernetes(file.Config.Labels)
	t.runtime, t.image = "docker", file.Config.Image
	if t.name == "" {
		t.name = strings.TrimPrefix(file.Name, "/")
	}
	return t, nil
}

// kubernetes reads the labels that the kubelet gives to containers.
func kubernetes(labels map[string]string) told {
	return told{
		name: labels["io.kubernetes.container.name"], pod: labels["io.kubernetes.pod.name"],
		namespace: labels["io.kubernetes.pod.namespace"], uid: labels["io.kubernetes.pod.uid"],
	}
}

// parseSpec reads the config.json that a runtime is started with, as the runtime
// specification of the Open Container Initiative has it. What made it says in the
// annotations what the container is.
func parseSpec(text []byte, _ string) (told, error) {
	var spec struct{ Annotations map[string]string }
	if err := json.Unmarshal(text, &spec); err != nil {
		return told{}, fmt.Errorf("config.json: %w", err)
	}
	a := spec.Annotations
	switch {
	case a["io.container.manager"] == "libpod":
		return told{}, errOther // podman's name for it stands elsewhere
	case a["io.container.manager"] == "cri-o" || a["io.kubernetes.cri-o.ContainerType"] != "":
		t := kubernetes(a)
		t.runtime, t.image = "cri-o", a["io.kubernetes.cri-o.ImageName"]
		return t, nil
	}
	return told{
		runtime: "containerd", image: a["io.kubernetes.cri.image-name"],
		name: string(first(a["io.kubernetes.cri.container-name"], a["nerdctl/name"])),
		pod:  a["io.kubernetes.cri.sandbox-name"], namespace: a["io.kubernetes.cri.sandbox-namespace"],
		uid: a["io.kubernetes.cri.sandbox-uid"],
	}, nil
}

// parseStore reads the list of all containers in the storage that podman uses.
func parseStore(text []byte, id string) (told, error) {
	type row struct {
		ID       string
		Names    []string
		Metadata string
	}
	var rows []row
	if err := json.Unmarshal(text, &rows); err != nil {
		return told{}, fmt.Errorf("containers.json: %w", err)
	}
	i := slices.IndexFunc(rows, func(r row) bool { return r.ID == id })
	if i < 0 {
		return told{}, errOther
	}
	var more struct {
		Name  string `json:"name"`
		Image string `json:"image-name"`
	}
	_ = json.Unmarshal([]byte(rows[i].Metadata), &more) // of podman's own making; else nothing
	if more.Name == "" && len(rows[i].Names) > 0 {
		more.Name = rows[i].Names[0]
	}
	return told{runtime: "podman", name: more.Name, image: more.Image}, nil
}
