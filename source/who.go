// SPDX-License-Identifier: Apache-2.0

package source

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/process"
)

// who names the users, groups, containers and pods of events, whatever backend
// they come from.
type who struct {
	host       *process.Host
	names      *process.Names
	containers *process.Containers
}

// openWho opens the files of the host that is mounted at root.
func openWho(root string) (*who, error) {
	host, err := process.OpenHost(root)
	if err != nil {
		return nil, err
	}
	return &who{host, process.NewNames(host), process.NewContainers(host)}, nil
}

// add fills what the files of the host tell of e.
func (w *who) add(e *event.Event) {
	if e.Op != event.OpLost {
		w.names.Fill(e)
		w.containers.Fill(e)
	}
}

func (w *who) close() error { return errors.Join(w.names.Close(), w.host.Close()) }

// checkHost refuses a root without which nothing works: one that lacks the host's
// procfs. Where the root is our own there is nothing to be mounted.
func checkHost(root string) error {
	if root == "/" {
		return nil
	}
	path := filepath.Join(root, "proc")
	if err := hostProc(path); err != nil {
		return fmt.Errorf("host_root %s: %s: %w: neither the mounts of the host nor its processes can be known: mount the host's /proc there (docker run -v /proc:%s:ro, in Kubernetes a hostPath volume), or set host_root (HOST_ROOT) to where it is", root, path, err, path)
	}
	return nil
}

// hostProc says why path is not the procfs of a host.
func hostProc(path string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return err
	}
	if fs.Type != unix.PROC_SUPER_MAGIC {
		return errors.New("not a procfs")
	}
	f, err := os.Open(filepath.Join(path, "1/mountinfo"))
	if err != nil {
		return fmt.Errorf("the first process is not shown: %w", reason(err))
	}
	return f.Close()
}

// hostParts are what else a container must be shown of the host, and what happens
// without.
var hostParts = []struct{ path, without string }{
	{"etc/passwd", "users have no names"},
	{"etc/group", "groups have no names"},
	{"run", "containers of containerd, cri-o and runc have no image, and a name only where a log tells it"},
	{"var/log", "containers and pods have names only where the files of the runtime tell them"},
}

// warnHost tells what will be absent because it is not mounted.
func (c *Config) warnHost() {
	if c.HostRoot == "/" {
		return
	}
	for _, part := range hostParts {
		if _, err := os.Stat(filepath.Join(c.HostRoot, part.path)); err != nil {
			c.logf("host_root %s: %s: %v: %s: mount the host's /%s there", c.HostRoot, filepath.Join(c.HostRoot, part.path), reason(err), part.without, part.path)
		}
	}
}

// reason is err without the path, which is named already.
func reason(err error) error {
	var of *os.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}
