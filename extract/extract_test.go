// SPDX-License-Identifier: Apache-2.0

package extract

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
	"unsafe"

	"github.com/falco-fim/fim/event"
)

// memory is an event whose payload lies in memory, like the SDK's.
type memory struct {
	num, ts uint64
	payload []byte
	reads   int
}

func (m *memory) EventNum() uint64  { return m.num }
func (m *memory) Timestamp() uint64 { return m.ts }

func (m *memory) Reader() io.ReadSeeker {
	m.reads++
	return m
}

func (m *memory) BufferPtr() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(m.payload)) }
func (m *memory) Len() int64                { return int64(len(m.payload)) }

func (m *memory) Read([]byte) (int, error)       { panic("the payload is copied") }
func (m *memory) Seek(int64, int) (int64, error) { panic("the payload is copied") }

// stream is an event whose payload can only be read.
type stream struct{ memory }

func (s *stream) Reader() io.ReadSeeker { return bytes.NewReader(s.payload) }

// request asks for one field and holds a copy of what it got.
type request struct {
	id    uint64
	index uint64
	value any
}

func (r *request) FieldID() uint64  { return r.id }
func (r *request) ArgIndex() uint64 { return r.index }

func (r *request) SetValue(v any) {
	switch s := v.(type) {
	case string:
		v = strings.Clone(s)
	case []string:
		var own []string
		for _, item := range s {
			own = append(own, strings.Clone(item))
		}
		v = own
	}
	r.value = v
}

func fieldID(t testing.TB, name string) uint64 {
	for i, f := range fields {
		if f.Name == name {
			return uint64(i)
		}
	}
	t.Fatalf("no field %s", name)
	return 0
}

// indices are asked for of a field that takes one.
var indices = []uint64{0, 1, 2, 3, 9, 1<<64 - 1}

// all extracts every field and returns those that have a value.
func all(t testing.TB, x *Extractor, evt Event) map[string]any {
	values := make(map[string]any)
	for i, f := range fields {
		r := request{id: uint64(i)}
		if !f.Index {
			extractInto(t, x, evt, &r, values, f.Name)
			continue
		}
		for _, r.index = range indices {
			r.value = nil
			extractInto(t, x, evt, &r, values, fmt.Sprintf("%s[%d]", f.Name, r.index))
		}
	}
	return values
}

func extractInto(t testing.TB, x *Extractor, evt Event, r *request, values map[string]any, name string) {
	if err := x.Extract(r, evt); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if r.value != nil {
		values[name] = r.value
	}
}

const hostile = "/w/new\nline \x1b[31mred \xff\xfe \u009b1m \x7f"

var full = &event.Event{
	Op: event.OpRename, Time: 1732216800123456789, Res: event.SuccessBytes, Watch: []byte("/etc"),
	File: event.File{
		HostPath: []byte("/etc/cron.d/job"), Inode: 131842, Dev: 0xfd03, Type: event.TypeFile,
		FSType: []byte("ext4"), Mountpoint: []byte("/"), ViewPath: []byte("/conf/job"), Size: event.Known(57),
	},
	Old: event.Old{HostPath: []byte("/tmp/job"), ViewPath: []byte("/work/job"), Inode: 131843, Size: event.Known(0)},
	Proc: event.Process{
		Pid: 4711, Tid: 4712, Ppid: event.Known(1), Start: 1732216799000000000,
		Comm: []byte("mv"), Exe: []byte("/usr/bin/mv"), Cwd: []byte("/root"),
		UID: event.Known(0), GID: event.Known(0), LoginUID: event.Known(1000),
		Argv: [][]byte{[]byte("/bin/mv"), []byte("/tmp/job"), []byte("/etc/cron.d/job")},
	},
}

const containerID = "3f4b8f2d9f6a1c0e5d7b8a9c0d1e2f3a4b5c6d7e8f901a2b3c4d5e6f70819203"

// contained has what is known of who did it, in full.
var contained = &event.Event{
	Op: event.OpClose, Watch: []byte("/w"), Reason: event.Hardlink,
	File: event.File{AliasPath: []byte("/tmp/x"), Layer: event.Upper, RealInode: 77, RealDev: 0xfd01, Owner: []byte("root"), Group: []byte("adm")},
	Proc: event.Process{
		Pid: 4711, Vpid: event.Known(700), SID: event.Known(4700), TTY: event.Known(34816),
		Comm: []byte("java"), ThreadComm: []byte("pool-1"), Exe: []byte("/opt/java"), Argv: names("java"), ArgsCut: true,
		UID: event.Known(1), GID: event.Known(4), RUID: event.Known(1000), RGID: event.Known(1001),
		User: []byte("daemon"), Group: []byte("adm"), Login: []byte("olga"),
		MntNS: event.Known(4026532301), PidNS: event.Known(4026532304), HostMntNS: event.KnownBool(false),
		Cgroup:       []byte("/docker/" + containerID),
		AncestorPids: []uint64{4700, 4690, 1}, AncestorComms: names("sh", "", "systemd"),
		AncestorExes: names("/bin/busybox", "", "/usr/lib/systemd/systemd"), ParentArgv: names("sh", "-c", "java"),
	},
	Container: event.Container{ID: []byte(containerID), Runtime: []byte("docker"), Name: []byte("web"), Image: []byte("nginx:1.27")},
	Pod:       event.Pod{Name: []byte("web-0"), UID: []byte("0a1b"), Namespace: []byte("shop")},
}

// names is a list as an event holds it.
func names(list ...string) (all [][]byte) {
	for _, name := range list {
		all = append(all, []byte(name))
	}
	return all
}

// attributes has all that full lacks.
var attributes = &event.Event{
	Op: event.OpCreate, Res: event.SuccessBytes, Flags: names("O_RDWR", "O_CREAT", "O_EXCL"),
	File: event.File{
		Inode: 7, Dev: 5, Type: event.TypeFile, MountID: event.Known(31), Nlink: event.Known(1), Mode: event.Known(0o6752),
		UID: event.Known(1000), GID: event.Known(1001), Mtime: event.Known(1732216800123456789), Atime: event.Known(1732216800123456790),
		XattrName: []byte("security.capability"), ACL: []byte("user::rwx,group::r-x,other::-w-"),
	},
	Old: event.Old{
		Mode: event.Known(0o60), UID: event.Known(1002), GID: event.Known(1003), Mtime: event.Known(1732216700000000000),
		ACL: event.NoACL, Flags: names("FS_IMMUTABLE_FL"),
	},
	Proc: event.Process{Start: 1732216699000000000},
}

var extractCases = map[string]struct {
	event *event.Event
	want  map[string]any
}{
	"a whole event": {full, map[string]any{
		"fs.op": "rename", "fs.failed": false, "fs.res": "SUCCESS", "fs.watch": "/etc", "fs.truncated": false, "fs.reason": "path", "fs.alias": false,
		"fs.host_path": "/etc/cron.d/job", "fs.directory": "/etc/cron.d", "fs.filename": "job",
		"fs.raw.host_path": "2f6574632f63726f6e2e642f6a6f62",
		"fs.view_path":     "/conf/job", "fs.raw.view_path": "2f636f6e662f6a6f62", "fs.size": uint64(57),
		"fs.inode": uint64(131842), "fs.dev": uint64(0xfd03), "fs.dev.major": uint64(253), "fs.dev.minor": uint64(3),
		"fs.type": "file", "fs.fstype": "ext4", "fs.mountpoint": "/",
		"fs.old.host_path": "/tmp/job", "fs.raw.old.host_path": "2f746d702f6a6f62",
		"fs.old.view_path": "/work/job", "fs.raw.old.view_path": "2f776f726b2f6a6f62",
		"fs.old.inode": uint64(131843), "fs.old.size": uint64(0),
		"fs.proc.pid": uint64(4711), "fs.proc.tid": uint64(4712), "fs.proc.ppid": uint64(1), "fs.proc.pid.ts": uint64(1732216799000000000),
		"fs.proc.name": "mv", "fs.proc.exe": "/bin/mv", "fs.proc.exepath": "/usr/bin/mv",
		"fs.proc.cmdline": "mv /tmp/job /etc/cron.d/job", "fs.proc.args": "/tmp/job /etc/cron.d/job", "fs.proc.cwd": "/root/",
		"fs.user.uid": uint64(0), "fs.user.loginuid": uint64(1000), "fs.group.gid": uint64(0),
		"fs.user.euid": uint64(0), "fs.group.egid": uint64(0), "fs.proc.args_cut": false,
		"fs.proc.aname[0]": "mv", "fs.proc.apid[0]": uint64(4711), "fs.proc.aexepath[0]": "/usr/bin/mv",
	}},
	"a process in a container": {contained, map[string]any{
		"fs.op": "close", "fs.truncated": false, "fs.owner.name": "root", "fs.owner.group": "adm",
		"fs.watch": "/w", "fs.reason": "hardlink", "fs.alias": true, "fs.alias_path": "/tmp/x", "fs.raw.alias_path": "2f746d702f78",
		"fs.layer": "upper", "fs.real.inode": uint64(77), "fs.real.dev": uint64(0xfd01),
		"fs.proc.pid": uint64(4711), "fs.proc.vpid": uint64(700), "fs.proc.sid": uint64(4700), "fs.proc.tty": uint64(34816),
		"fs.proc.name": "java", "fs.proc.tname": "pool-1", "fs.proc.exepath": "/opt/java",
		"fs.proc.exe": "java", "fs.proc.cmdline": "java", "fs.proc.args": "", "fs.proc.args_cut": true,
		"fs.proc.pname": "sh", "fs.proc.pexepath": "/bin/busybox", "fs.proc.pcmdline": "sh -c java",
		"fs.proc.aname[0]": "java", "fs.proc.aname[1]": "sh", "fs.proc.aname[3]": "systemd", "fs.proc.anames": []string{"sh", "systemd"},
		"fs.proc.apid[0]": uint64(4711), "fs.proc.apid[1]": uint64(4700), "fs.proc.apid[2]": uint64(4690), "fs.proc.apid[3]": uint64(1),
		"fs.proc.aexepath[0]": "/opt/java", "fs.proc.aexepath[1]": "/bin/busybox", "fs.proc.aexepath[3]": "/usr/lib/systemd/systemd",
		"fs.proc.mntns": uint64(4026532301), "fs.proc.pidns": uint64(4026532304), "fs.proc.host_mntns": false,
		"fs.user.uid": uint64(1), "fs.user.euid": uint64(1), "fs.user.ruid": uint64(1000), "fs.user.name": "daemon", "fs.user.loginname": "olga",
		"fs.group.gid": uint64(4), "fs.group.egid": uint64(4), "fs.group.rgid": uint64(1001), "fs.group.name": "adm",
		"fs.container.id": "3f4b8f2d9f6a", "fs.container.full_id": containerID, "fs.container.name": "web", "fs.container.image": "nginx:1.27",
		"fs.container.runtime": "docker", "fs.cgroup": "/docker/" + containerID,
		"fs.k8s.pod.name": "web-0", "fs.k8s.pod.uid": "0a1b", "fs.k8s.ns.name": "shop",
	}},
	"a container that goes by a name": {&event.Event{
		Op: event.OpOpen, Container: event.Container{ID: []byte(strings.Repeat("x", 64)), Runtime: []byte("lxc")},
		Proc: event.Process{HostMntNS: event.KnownBool(true), AncestorPids: []uint64{7}, AncestorComms: names(""), TTY: event.Known(0)},
	}, map[string]any{
		"fs.op": "open", "fs.created": false, "fs.truncated": false, "fs.container.id": strings.Repeat("x", 64), "fs.container.full_id": strings.Repeat("x", 64),
		"fs.container.runtime": "lxc", "fs.proc.host_mntns": true, "fs.proc.apid[1]": uint64(7), "fs.proc.anames": nil, "fs.proc.tty": uint64(0),
	}},
	"attributes, before and after": {attributes, map[string]any{
		"fs.op": "create", "fs.failed": false, "fs.res": "SUCCESS", "fs.truncated": false,
		"fs.flags": []string{"O_RDWR", "O_CREAT", "O_EXCL"}, "fs.is_open_read": true, "fs.is_open_write": true, "fs.created": true,
		"fs.inode": uint64(7), "fs.dev": uint64(5), "fs.dev.major": uint64(0), "fs.dev.minor": uint64(5), "fs.type": "file",
		"fs.mount_id": uint64(31), "fs.nlink": uint64(1), "fs.mode": "6752",
		"fs.is_setuid": true, "fs.is_setgid": true, "fs.is_world_writable": true, "fs.is_executable": true,
		"fs.owner.uid": uint64(1000), "fs.owner.gid": uint64(1001),
		"fs.mtime": uint64(1732216800123456789), "fs.atime": uint64(1732216800123456790),
		"fs.xattr.name": "security.capability", "fs.acl": "user::rwx,group::r-x,other::-w-",
		"fs.old.mode": "0060", "fs.old.owner.uid": uint64(1002), "fs.old.owner.gid": uint64(1003),
		"fs.old.mtime": uint64(1732216700000000000), "fs.old.acl": "none", "fs.old.flags": []string{"FS_IMMUTABLE_FL"},
		"fs.proc.pid.ts": uint64(1732216699000000000), "fs.is_fresh": true,
	}},
	"zeros that are known": {&event.Event{
		Op: event.OpChmod, Flags: names(""),
		File: event.File{Mode: event.Known(0), Nlink: event.Known(0), UID: event.Known(0), Mtime: event.Known(0), MountID: event.Known(0)},
		Old:  event.Old{Mode: event.Known(0)},
	}, map[string]any{
		"fs.op": "chmod", "fs.truncated": false, "fs.flags": []string{""}, "fs.mount_id": uint64(0), "fs.nlink": uint64(0), "fs.mode": "0000",
		"fs.is_setuid": false, "fs.is_setgid": false, "fs.is_world_writable": false,
		"fs.owner.uid": uint64(0), "fs.mtime": uint64(0), "fs.old.mode": "0000",
	}},
	"an event of which nothing more is known": {&event.Event{Op: event.OpModify}, map[string]any{
		"fs.op": "modify", "fs.truncated": false,
	}},
	"hostile names": {&event.Event{
		Op: event.OpUnlink, Res: event.SuccessBytes,
		File: event.File{HostPath: []byte(hostile), ViewPath: []byte("/v\x1b"), Deleted: true},
		Old:  event.Old{ViewPath: []byte("/o\n"), ACL: []byte("\r"), Flags: names("\x1b[2J", "ok", "\n\x00")},
		Proc: event.Process{Comm: []byte("a\nb"), Argv: [][]byte{[]byte("\x1b"), []byte("\x00"), nil, []byte("z")}},
	}, map[string]any{
		"fs.op": "unlink", "fs.failed": false, "fs.res": "SUCCESS", "fs.truncated": false, "fs.deleted": true,
		"fs.host_path":     `/w/new\x0aline \x1b[31mred ` + "\xff\xfe" + ` \xc2\x9b1m \x7f`,
		"fs.directory":     "/w",
		"fs.filename":      `new\x0aline \x1b[31mred ` + "\xff\xfe" + ` \xc2\x9b1m \x7f`,
		"fs.raw.host_path": "2f772f6e65770a6c696e65201b5b33316d72656420fffe20c29b316d207f",
		"fs.view_path":     `/v\x1b`, "fs.raw.view_path": "2f761b",
		"fs.old.acl": `\x0d`, "fs.old.flags": []string{`\x1b[2J`, "ok", `\x0a\x00`},
		"fs.old.view_path": `/o\x0a`, "fs.raw.old.view_path": "2f6f0a",
		"fs.proc.name": `a\x0ab`, "fs.proc.exe": `\x1b`, "fs.proc.args": `\x00  z`, "fs.proc.cmdline": `a\x0ab \x00  z`,
		"fs.proc.aname[0]": `a\x0ab`, "fs.proc.args_cut": false,
	}},
	"a process without arguments, in the root, on a file in the root": {&event.Event{
		Op: event.OpSymlink, Failed: true, Res: []byte("EACCES"), Truncated: true,
		File: event.File{HostPath: []byte("/x"), Type: event.TypeSymlink, LinkTarget: []byte("../y")},
		Proc: event.Process{Comm: []byte("sh"), Cwd: []byte("/"), Argv: [][]byte{nil}},
	}, map[string]any{
		"fs.op": "symlink", "fs.failed": true, "fs.res": "EACCES", "fs.truncated": true,
		"fs.host_path": "/x", "fs.directory": "/", "fs.filename": "x", "fs.raw.host_path": "2f78",
		"fs.type": "symlink", "fs.link.target": "../y",
		"fs.proc.name": "sh", "fs.proc.exe": "", "fs.proc.args": "", "fs.proc.cmdline": "sh", "fs.proc.cwd": "/",
		"fs.proc.aname[0]": "sh", "fs.proc.args_cut": false,
	}},
	"a loss": {&event.Event{
		Op: event.OpLost, Lost: event.Lost{Count: event.Known(1204), Reason: []byte("ring_full")},
	}, map[string]any{
		"fs.op": "lost", "fs.truncated": false, "fs.lost.count": uint64(1204), "fs.lost.reason": "ring_full",
	}},
}

func TestEachFieldShowsItsMemberAndIsAbsentWhereThatIsNotKnown(t *testing.T) {
	var x Extractor
	num := uint64(0)
	for name, c := range extractCases {
		t.Run(name, func(t *testing.T) {
			num++
			got := all(t, &x, &memory{num: num, payload: event.Append(nil, c.event, 1<<16)})
			for name := range c.want { // so that what is absent is met below
				if _, ok := got[name]; !ok {
					got[name] = nil
				}
			}
			for name := range got {
				if !reflect.DeepEqual(got[name], c.want[name]) {
					t.Errorf("%s: got %#v, want %#v", name, got[name], c.want[name])
				}
			}
		})
	}
}

func TestFlagsTellWhatAnOpeningAskedFor(t *testing.T) {
	const absent, no, yes = "<nil>", "false", "true"
	for _, row := range []struct {
		op                   event.Op
		failed               bool
		flags                [][]byte
		read, write, created string
	}{
		{event.OpOpen, false, names("O_RDONLY"), yes, no, no},
		{event.OpOpen, false, names("O_APPEND", "O_WRONLY"), no, yes, no},
		{event.OpOpen, true, names("O_RDWR", "O_TRUNC"), yes, yes, no},
		{event.OpOpen, false, names("O_NONBLOCK"), absent, absent, no}, // access mode 3, for ioctl(2) alone
		{event.OpOpen, false, nil, absent, absent, no},
		{event.OpCreate, false, names("O_WRONLY", "O_CREAT"), no, yes, yes},
		{event.OpCreate, true, names("O_WRONLY", "O_CREAT"), no, yes, no},
		{event.OpCreate, false, nil, absent, absent, absent}, // mknod(2), or not known
		{event.OpMmap, false, names("O_RDWR", "PROT_WRITE"), absent, absent, absent},
		{event.OpMkdir, false, nil, absent, absent, absent},
	} {
		var x Extractor
		got := all(t, &x, &memory{payload: event.Append(nil, &event.Event{Op: row.op, Failed: row.failed, Flags: row.flags}, 1<<16)})
		for field, want := range map[string]string{"fs.is_open_read": row.read, "fs.is_open_write": row.write, "fs.created": row.created} {
			if text := fmt.Sprint(got[field]); text != want {
				t.Errorf("%s %q failed=%v: %s is %s, want %s", row.op, row.flags, row.failed, field, text, want)
			}
		}
	}
}

func TestAModeSaysWhatItMeansForThatTypeOfFile(t *testing.T) {
	const absent, no, yes = "<nil>", "false", "true"
	for _, row := range []struct {
		kind                                 event.Type
		mode                                 event.Uint
		setuid, setgid, writable, executable string
	}{
		{event.TypeFile, event.Known(0o644), no, no, no, no},
		{event.TypeFile, event.Known(0o4000), yes, no, no, no},
		{event.TypeFile, event.Known(0o2010), no, yes, no, yes},
		{event.TypeFile, event.Known(0o1), no, no, no, yes},
		{event.TypeFile, event.Known(0o100), no, no, no, yes},
		{event.TypeFile, event.Known(0o2), no, no, yes, no},
		{event.TypeDirectory, event.Known(0o1777), no, no, yes, no},
		{event.TypeSymlink, event.Known(0o777), no, no, absent, no},
		{0, event.Known(0o777), no, no, yes, absent},
		{event.TypeFile, event.Uint{}, absent, absent, absent, absent},
	} {
		var x Extractor
		e := &event.Event{Op: event.OpChmod, File: event.File{Type: row.kind, Mode: row.mode}}
		got := all(t, &x, &memory{payload: event.Append(nil, e, 1<<16)})
		for field, want := range map[string]string{
			"fs.is_setuid": row.setuid, "fs.is_setgid": row.setgid,
			"fs.is_world_writable": row.writable, "fs.is_executable": row.executable,
		} {
			if text := fmt.Sprint(got[field]); text != want {
				t.Errorf("%s %#o: %s is %s, want %s", row.kind, row.mode.V, field, text, want)
			}
		}
	}
}

// What the process wrote first of all may have the time of the tick before.
func TestAFileIsFreshIfItWasModifiedSinceTheProcessStarted(t *testing.T) {
	const start = 1732216799120000000
	for _, row := range []struct {
		mtime event.Uint
		start uint64
		want  any
	}{
		{event.Known(start - 10_000_001), start, false},
		{event.Known(start - 10_000_000), start, true},
		{event.Known(start + 1), start, true},
		{event.Known(0), start, false},
		{event.UnixTime(1<<34, 999_999_999), start, true},
		{event.Uint{}, start, nil},
		{event.Known(start), 0, nil},
	} {
		var x Extractor
		e := &event.Event{Op: event.OpUtimes, Old: event.Old{Mtime: row.mtime}, Proc: event.Process{Start: row.start}}
		if got := all(t, &x, &memory{payload: event.Append(nil, e, 1<<16)})["fs.is_fresh"]; got != row.want {
			t.Errorf("modified %v, started %d: %v, want %v", row.mtime, row.start, got, row.want)
		}
	}
}

func TestAPayloadThatCanOnlyBeReadGivesTheSameValues(t *testing.T) {
	var x, y Extractor
	for _, e := range []*event.Event{full, attributes, contained} {
		payload := event.Append(nil, e, 1<<16)
		want := all(t, &x, &memory{num: uint64(e.Op), payload: payload})
		got := all(t, &y, &stream{memory{num: uint64(e.Op), payload: payload}})
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

func TestAnEventIsDecodedOnceAndNotAtAllForItsOperation(t *testing.T) {
	var x Extractor
	m := memory{num: 1, payload: event.Append(nil, full, 1<<16)}
	for range 20 {
		if err := x.Extract(&request{id: opID}, &m); err != nil {
			t.Fatal(err)
		}
	}
	if m.reads != 1 || x.decoded {
		t.Errorf("fs.op: read %d times, decoded %v", m.reads, x.decoded)
	}
	all(t, &x, &m)
	all(t, &x, &m)
	if m.reads != 2 {
		t.Errorf("read %d times: want one for the operation and one for the rest", m.reads)
	}
}

func TestAnotherEventIsNeverAnsweredFromTheLastOne(t *testing.T) {
	other := &event.Event{Op: event.OpLost}
	for name, next := range map[string]memory{
		"a later number":                        {num: 2, ts: 10},
		"the first number of a second capture":  {num: 1, ts: 11},
		"a smaller number and an earlier event": {num: 0, ts: 9},
	} {
		var x Extractor
		all(t, &x, &memory{num: 1, ts: 10, payload: event.Append(nil, full, 1<<16)})
		next.payload = event.Append(nil, other, 1<<16)
		if got := all(t, &x, &next); got["fs.op"] != "lost" || got["fs.host_path"] != nil {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestWhatIsNotAPayloadIsAnErrorThatNamesTheFieldAndSetsNothing(t *testing.T) {
	whole := event.Append(nil, full, 1<<16)
	for name, payload := range map[string][]byte{
		"nothing":       nil,
		"zeros":         make([]byte, 64),
		"cut":           whole[:len(whole)-1],
		"other JSON":    []byte(`{"v":9,"op":"rename"}`),
		"deep nesting":  bytes.Repeat([]byte("["), 1<<16),
		"a broken type": []byte(`{"v":1,"op":"open","inode":"x"}`),
	} {
		var x Extractor
		r := request{id: fieldID(t, "fs.inode")}
		err := x.Extract(&r, &memory{num: 5, payload: payload})
		if err == nil || !strings.Contains(err.Error(), "fs.inode of event 5") || r.value != nil {
			t.Errorf("%s: got %v and error %v", name, r.value, err)
		}
	}
}

func TestAFieldThatDoesNotExistIsAnError(t *testing.T) {
	var x Extractor
	if err := x.Extract(&request{id: uint64(len(fields))}, &memory{}); err == nil {
		t.Error("no error")
	}
}

func TestAReaderThatFailsIsAnErrorForEveryField(t *testing.T) {
	want := errors.New("gone")
	var x Extractor
	for i, f := range fields {
		if err := x.Extract(&request{id: uint64(i)}, failing{err: want}); !errors.Is(err, want) {
			t.Errorf("%s: got %v", f.Name, err)
		}
	}
}

type failing struct {
	io.ReadSeeker
	err error
}

func (f failing) EventNum() uint64         { return 1 }
func (f failing) Timestamp() uint64        { return 1 }
func (f failing) Reader() io.ReadSeeker    { return f }
func (f failing) Read([]byte) (int, error) { return 0, f.err }

// sink takes values and drops them.
type sink struct {
	id    uint64
	index uint64
	set   int
}

func (s *sink) FieldID() uint64  { return s.id }
func (s *sink) ArgIndex() uint64 { return s.index }
func (s *sink) SetValue(any)     { s.set++ }

// The interface value that SetValue takes is what the SDK forces on us: 24 bytes
// for a list, 16 for a string, 8 for a number above 255.
func TestAFieldCostsAtMostTheInterfaceValueThatTheSDKTakes(t *testing.T) {
	free := map[string]bool{"fs.op": true, "fs.type": true, "fs.user.uid": true, "fs.nlink": true,
		"fs.user.euid": true, "fs.group.gid": true, "fs.group.egid": true}
	for i, f := range fields {
		set := 0
		for _, e := range []*event.Event{full, attributes, contained} {
			m := memory{payload: event.Append(nil, e, 1<<16)}
			var x Extractor
			s := sink{id: uint64(i), index: 1}
			n := testing.AllocsPerRun(100, func() {
				m.num++
				if err := x.Extract(&s, &m); err != nil {
					t.Fatal(err)
				}
			})
			want := 1.0
			if free[f.Name] || f.Type == Bool || s.set == 0 {
				want = 0
			}
			if n > want {
				t.Errorf("%s of %s: %v allocations, want at most %v", f.Name, e.Op, n, want)
			}
			set += s.set
		}
		if set == 0 && !elsewhere[f.Name] {
			t.Errorf("%s: in neither event", f.Name)
		}
	}
}

// elsewhere are the fields that neither full nor attributes can have.
var elsewhere = map[string]bool{"fs.deleted": true, "fs.link.target": true, "fs.lost.count": true, "fs.lost.reason": true}

func FuzzExtract(f *testing.F) {
	files, _ := filepath.Glob("../event/testdata/*")
	for _, file := range files {
		payload, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(payload)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		var x Extractor
		for i, field := range fields {
			r := request{id: uint64(i), index: uint64(len(payload)) % 4}
			if x.Extract(&r, &memory{payload: payload}) != nil {
				continue
			}
			texts, _ := r.value.([]string)
			if text, ok := r.value.(string); ok {
				texts = []string{text}
			}
			if slices.ContainsFunc(texts, holdsControl) {
				t.Errorf("%s: control character in %q", field.Name, texts)
			}
		}
		if line, err := x.Line(&memory{payload: payload}); err == nil && holdsControl(line) {
			t.Errorf("control character in the line %q", line)
		}
	})
}

// holdsControl looks at s as a terminal does, which reads UTF-8.
func holdsControl(s string) bool {
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return true
		}
		s = s[n:]
	}
	return false
}

func BenchmarkOp(b *testing.B) { benchmark(b, "fs.op") }
func BenchmarkOpTwentyRules(b *testing.B) {
	benchmark(b, repeat("fs.op", 20)...)
}

func BenchmarkFiveFields(b *testing.B) {
	benchmark(b, "fs.op", "fs.host_path", "fs.inode", "fs.proc.name", "fs.user.uid")
}

func BenchmarkAttributes(b *testing.B) {
	benchmarkOf(b, attributes, "fs.op", "fs.flags", "fs.mode", "fs.is_setuid", "fs.old.mode", "fs.owner.uid")
}

func repeat(name string, n int) []string {
	return strings.Fields(strings.Repeat(name+" ", n))
}

func benchmark(b *testing.B, names ...string) { benchmarkOf(b, full, names...) }

func benchmarkOf(b *testing.B, e *event.Event, names ...string) {
	m := memory{payload: event.Append(nil, e, 1<<16)}
	sinks := make([]sink, len(names))
	for i, name := range names {
		sinks[i].id = fieldID(b, name)
	}
	var x Extractor
	b.ReportAllocs()
	for b.Loop() {
		m.num++
		for i := range sinks {
			_ = x.Extract(&sinks[i], &m)
		}
	}
}
