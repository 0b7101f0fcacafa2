// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"os"
	"slices"
)

// backend is what one of fim's backends can know.
type backend struct {
	// merges says that events may come once for several, in any order, and that each
	// write is an event.
	merges bool
	// late says that what a mount makes watched is so a little later only.
	late bool
	// absent are the keys that its events never have.
	absent []string
	// refuses are kinds of filesystems that it cannot watch.
	refuses []string
	// viewless are operations on whose way nothing tells the mount, so that the view path
	// may be absent; a wrong one is a fault all the same.
	viewless []string
	// as are operations that it tells as others.
	as map[string]string
}

var backends = map[string]backend{
	"ebpf": {
		viewless: []string{"setxattr", "removexattr"},
	},
	"fanotify": {
		merges: true,
		late:   true,
		// The kernel takes no marks of overlayfs: it has none of the handles that events
		// name files by.
		refuses: []string{"overlay"},
		absent:  []string{"view_path", "old.view_path", "size", "old.size", "old.inode", "proc.tid"},
		// What a new name is the name of is not known once that is gone.
		as: map[string]string{
			"truncate": "modify", "chmod": "attrib", "chown": "attrib", "utimes": "attrib", "setxattr": "attrib", "removexattr": "attrib",
			"symlink": "symlink|create", "mknod": "mknod|create",
		},
	},
}

// silent tells whether this backend has no event of a fact: that of a link names the new
// name only.
func (b backend) silent(f Fact, t manner) bool {
	return t.again && !b.merges || f.Op == "link" && b.merges && t.outside
}

// limit makes of what should be told what this backend can tell, on a kind of filesystem.
func (b backend) limit(e Expect, f Fact, t manner, fs string) Expect {
	e.Maybe = e.Maybe || t.maybe || t.loose && b.merges
	for _, key := range b.absent {
		if _, says := e.Record[key]; says {
			e.Record[key] = absent
		}
	}
	if slices.Contains(b.viewless, f.Op) {
		e.May = append(e.May, "view_path")
	}
	if as, ok := b.as[e.Record["op"]]; ok {
		e.Record["op"] = as
	}
	if b.merges { // what an object is, is not known once it is gone
		e.Record["type"] += "|"
	}
	if b.merges && f.Op == "link" {
		delete(e.Record, "old.host_path")
	}
	if f.Op == "modify" && !b.merges && slices.Contains(attempts, fs) {
		delete(e.Record, "res")
	}
	switch mounts := f.Op == "mount" || f.Op == "umount"; {
	case mounts && b.merges: // the mount table tells, not who did it
		e.Record["proc.pid"] = absent
	case mounts || b.merges:
	default:
		limitDevice(&e, fs)
	}
	return e
}

// attempts are the filesystems on which only the attempt to write is seen.
var attempts = []string{"btrfs"}

// limitDevice says where the device that stat(2) shows is not known: that of a subvolume
// of btrfs where the kernel tells nobody the types of the module.
func limitDevice(e *Expect, fs string) {
	if deviceless(fs) {
		e.Record["dev"] = absent
	}
}

func deviceless(fs string) bool {
	_, err := os.Stat("/sys/kernel/btf/btrfs")
	return fs == "btrfs" && err != nil
}

// repeatable are the operations that a process may do to a file again with nothing in
// between that would tell two events apart.
var repeatable = []string{"modify", "close", "attrib"}

func (e Expect) repeatable() bool { return slices.Contains(repeatable, e.Record["op"]) }
