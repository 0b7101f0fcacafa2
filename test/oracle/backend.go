// SPDX-License-Identifier: Apache-2.0

package oracle

import "slices"

// backend is what one of fim's backends can know.
type backend struct {
	// merges says that events may come once for several, in any order, and that each
	// write is an event.
	merges bool
	// absent are the keys that its events never have.
	absent []string
	// attempts says that a filesystem is watched where only the attempt to write is
	// seen; then it is that of all.
	attempts bool
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
		absent: []string{"view_path", "old.view_path", "size", "old.size", "old.inode", "proc.tid"},
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

// limit makes of what should be told what this backend can tell. The
// filesystem counts too: those of btrfs have a device for each subvolume.
func (b backend) limit(e Expect, f Fact, t manner, fs string) Expect {
	e.Maybe = t.maybe || t.loose && b.merges
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
	switch {
	case b.merges && f.Op == "link":
		delete(e.Record, "old.host_path")
	case !b.merges && fs == "btrfs":
		e.Record["dev"] = absent
	}
	if f.Op == "modify" && b.attempts {
		delete(e.Record, "res")
	}
	return e
}

// repeatable are the operations that a process may do to a file again with nothing in
// between that would tell two events apart.
var repeatable = []string{"modify", "close", "attrib"}

func (e Expect) repeatable() bool { return slices.Contains(repeatable, e.Record["op"]) }
