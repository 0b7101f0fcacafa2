// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const hostile = "new\nline \x1b[31mred\x1b[0m \"quote\" back\\slash \xff\xfe \u009b1m \x7f"

const id = "3f4b8f2d9f6a1c0e5d7b8a9c0d1e2f3a4b5c6d7e8f901a2b3c4d5e6f70819203"

// samples are the events of the golden files, by file name.
var samples = map[string]*Event{
	"create": {
		Op: OpCreate, Time: 1732216800123456789, Res: SuccessBytes, Watch: []byte("/etc"),
		File: File{
			HostPath: []byte("/etc/cron.d/job"), ViewPath: []byte("/host/etc/cron.d/job"),
			Inode: 131842, Dev: 0xfd00, Type: TypeFile, FSType: []byte("ext4"), Mountpoint: []byte("/"),
			Size: Known(0),
		},
		Proc: Process{
			Pid: 4711, Tid: 4712, Ppid: Known(1), Start: 1732216799000000000,
			Comm: []byte("sh"), Exe: []byte("/usr/bin/dash"), Cwd: []byte("/root"),
			UID: Known(0), GID: Known(0), LoginUID: Known(1000),
			Argv: [][]byte{[]byte("sh"), []byte("-c"), []byte("echo x > /etc/cron.d/job")},
		},
	},
	"alias": {
		Op: OpClose, Time: 13, Res: SuccessBytes, Watch: []byte("/etc"), Reason: Hardlink,
		File: File{
			HostPath: []byte("/etc/passwd"), AliasPath: []byte("/tmp/x"), ViewPath: []byte("/tmp/x"),
			Inode: 131842, Dev: 0xfd00, Type: TypeFile, Nlink: Known(2), Layer: Upper, RealInode: 77, RealDev: 0xfd01,
		},
		Proc: Process{Pid: 9},
	},
	"container": {
		Op: OpClose, Time: 11, Res: SuccessBytes, Watch: []byte("/w"),
		File: File{HostPath: []byte("/w/f"), UID: Known(0), Owner: []byte("root"), GID: Known(4), Group: []byte("adm")},
		Proc: Process{
			Pid: 4711, Tid: 4712, Ppid: Known(4700), Vpid: Known(7), SID: Known(4700), TTY: Known(0),
			Comm: []byte("java"), ThreadComm: []byte("pool-1-thread-2"), UID: Known(0), RUID: Known(1000), GID: Known(4), RGID: Known(1000),
			LoginUID: Known(1000), User: []byte("root"), Group: []byte("adm"), Login: []byte("olga"), Argv: list("java", ""), ArgsCut: true,
			MntNS: Known(4026532301), PidNS: Known(4026532304), HostMntNS: KnownBool(false),
			Cgroup:       []byte("/kubepods/besteffort/pod0a1b2c3d-0000-4000-8000-0123456789ab/" + id),
			AncestorPids: []uint64{4700, 4690, 1}, AncestorComms: list("sh", "", "systemd"),
			AncestorExes: list("/bin/busybox", "", "/usr/lib/systemd/systemd"), ParentArgv: list("sh", "-c", "java"),
		},
		Container: Container{ID: []byte(id), Runtime: []byte("containerd"), Name: []byte("web"), Image: []byte("docker.io/library/nginx:1.27")},
		Pod:       Pod{Name: []byte("web-0"), UID: []byte("0a1b2c3d-0000-4000-8000-0123456789ab"), Namespace: []byte("shop")},
	},
	"hostile-process": {
		Op: OpOpen, Time: 12, Watch: []byte("/w"),
		Proc: Process{
			Pid: 9, HostMntNS: KnownBool(true), Cgroup: []byte("/" + hostile), ThreadComm: []byte(hostile), User: []byte(hostile),
			AncestorPids: []uint64{1<<64 - 1}, AncestorComms: list(hostile), AncestorExes: list("/" + hostile), ParentArgv: list("", hostile),
		},
		Container: Container{ID: []byte(hostile), Name: []byte(hostile), Image: []byte(hostile)},
		Pod:       Pod{Name: []byte(hostile), UID: []byte(hostile), Namespace: []byte(hostile)},
	},
	"rename": {
		Op: OpRename, Time: 1732216800123456790, Res: SuccessBytes, Watch: []byte("/home/*/.ssh/**"),
		File: File{HostPath: []byte("/home/Ольга/.ssh/config"), Inode: 7, Dev: 0x23, Type: TypeFile},
		Old: Old{
			HostPath: []byte("/tmp/démo"), ViewPath: []byte("/tmp/démo"), Inode: 8, Size: Known(12),
		},
	},
	"hostile-names": {
		Op: OpUnlink, Time: 1, Res: SuccessBytes, Watch: []byte("/w"),
		File: File{HostPath: []byte("/w/" + hostile), Inode: 3, Dev: 5, Deleted: true},
		Proc: Process{Pid: 2, Comm: []byte("a\xc3"), Argv: [][]byte{[]byte(hostile), []byte("ok"), nil}},
	},
	"symlink": {
		Op: OpSymlink, Time: 2, Res: SuccessBytes, Watch: []byte("/w"),
		File: File{HostPath: []byte("/w/l"), Inode: 9, Dev: 5, Type: TypeSymlink, LinkTarget: []byte("../no\nwhere")},
	},
	"open": {
		Op: OpOpen, Time: 6, Res: SuccessBytes, Watch: []byte("/w"),
		Flags: list("O_WRONLY", "O_APPEND", "O_CLOEXEC"),
		File:  File{HostPath: []byte("/w/f"), Inode: 9, Dev: 5, Type: TypeFile, MountID: Known(0), Nlink: Known(2)},
	},
	"chmod": {
		Op: OpChmod, Time: 7, Res: SuccessBytes, Watch: []byte("/w"),
		File: File{
			HostPath: []byte("/w/f"), Inode: 9, Dev: 5, Type: TypeFile, MountID: Known(31), Size: Known(57), Nlink: Known(1),
			Mode: Known(0o4755), UID: Known(0), GID: Known(4294967294), Mtime: UnixTime(1732216800, 5), Atime: UnixTime(0, 0),
		},
		Old:  Old{Mode: Known(0), UID: Known(1000), GID: Known(0), Mtime: UnixTime(1000000000, 999999999)},
		Proc: Process{Pid: 9, UID: Known(0)},
	},
	"setacl": {
		Op: OpSetacl, Time: 8, Res: SuccessBytes, Watch: []byte("/w"),
		File: File{
			HostPath: []byte("/w/d"), Inode: 9, Dev: 5, Type: TypeDirectory, Mode: Known(0o1770),
			XattrName: []byte("system.posix_acl_default"),
			ACL:       []byte("default:user::rwx,default:user:1000:r-x,default:group::r-x,default:mask::r-x,default:other::---"),
		},
		Old: Old{Mode: Known(0o1770), ACL: NoACL},
	},
	"chattr": {
		Op: OpChattr, Time: 9, Res: SuccessBytes, Watch: []byte("/w"),
		Flags: list("FS_IMMUTABLE_FL", "FS_NODUMP_FL"),
		File:  File{HostPath: []byte("/w/f"), Inode: 9, Dev: 5, Type: TypeFile},
		Old:   Old{Flags: list("FS_NODUMP_FL")},
		Proc:  Process{Pid: 9, Argv: list("chattr", "+i", "/w/f")},
	},
	"hostile-attributes": {
		Op: OpSetxattr, Time: 10, Res: SuccessBytes, Watch: []byte("/w"), Flags: list(hostile, "XATTR_CREATE", ""),
		File: File{Inode: 9, Dev: 5, XattrName: []byte("user." + hostile), ACL: []byte(hostile), Mode: Known(1<<64 - 1)},
		Old:  Old{ACL: []byte(hostile), Flags: list("", hostile)},
		Proc: Process{Argv: list(hostile)},
	},
	"failed": {
		Op: OpMkdir, Time: 3, Failed: true, Res: []byte("EACCES"), Watch: []byte("/w"), Truncated: true,
		File: File{HostPath: []byte("/w/d")},
		Proc: Process{Pid: 9, UID: Known(65534)},
	},
	"lost": {
		Op: OpLost, Time: 4, Lost: Lost{Count: Known(1204), Reason: []byte("ring_full")},
	},
	"lost-uncounted": {
		Op: OpLost, Time: 5, Lost: Lost{Reason: []byte("queue_full")},
	},
}

func list(names ...string) (all [][]byte) {
	for _, name := range names {
		all = append(all, []byte(name))
	}
	return all
}

func TestPayloadsAndTextLinesEqualTheirGoldenFiles(t *testing.T) {
	for name, e := range samples {
		for ending, got := range map[string][]byte{
			".payload": Append(nil, e, 1<<16),
			".jsonl":   append(AppendText(nil, e), '\n'),
		} {
			file := filepath.Join("testdata", name+ending)
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s: changed; if that is meant, run go test ./event -update\n got %q\nwant %q", file, got, want)
			}
		}
	}
}

func TestEveryGoldenFileHasItsEvent(t *testing.T) {
	files, err := filepath.Glob("testdata/*.*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
		if samples[name] == nil {
			t.Errorf("%s: no event of that name", file)
		}
	}
}

func TestEveryMemberStandsInAGoldenFile(t *testing.T) {
	for _, m := range members {
		found := false
		for _, e := range samples {
			found = found || bytes.Contains(AppendText(nil, e), []byte(m.lead))
		}
		if !found {
			t.Errorf("%s: in no sample", m.key)
		}
	}
}

func TestBothFormsDecodeToTheSameEvent(t *testing.T) {
	var d Decoder
	for name, want := range samples {
		for form, payload := range map[string][]byte{
			"payload": Append(nil, want, 1<<16),
			"text":    AppendText(nil, want),
		} {
			var got Event
			if err := d.Decode(payload, &got); err != nil {
				t.Errorf("%s: %s: %v", name, form, err)
				continue
			}
			if !same(got.Clone(), want) {
				t.Errorf("%s: %s:\n got %+v\nwant %+v", name, form, &got, want)
			}
		}
	}
}

// same compares two events and takes nil and empty names for equal.
func same(a, b *Event) bool {
	for i := range members {
		x, y := members[i].at(a), members[i].at(b)
		if p, ok := x.(*[][]byte); ok {
			q := y.(*[][]byte)
			if len(*p) != len(*q) {
				return false
			}
			for j := range *p {
				if !bytes.Equal((*p)[j], (*q)[j]) {
					return false
				}
			}
			continue
		}
		if p, ok := x.(*[]byte); ok {
			if !bytes.Equal(*p, *y.(*[]byte)) {
				return false
			}
			continue
		}
		if !reflect.DeepEqual(x, y) {
			return false
		}
	}
	return a.Op == b.Op
}

func TestTheTextFormIsValidJSONWithoutControlCharacters(t *testing.T) {
	for name, e := range samples {
		line := AppendText(nil, e)
		if !json.Valid(line) || !utf8.Valid(line) {
			t.Errorf("%s: not JSON in UTF-8: %q", name, line)
		}
		for _, r := range string(line) {
			if isControl(r) {
				t.Errorf("%s: control character %U in %q", name, r, line)
			}
		}
	}
}

func TestTheOperationIsReadWithoutParsingTheRest(t *testing.T) {
	for _, op := range Ops() {
		got, err := PayloadOp(Append(nil, &Event{Op: op}, MinLimit))
		if err != nil || got != op {
			t.Errorf("%s: got %s, %v", op, got, err)
		}
	}
	for _, bad := range []string{"", "{", `{"v":2,"op":"open"}`, `{"v":1,"op":"`, `{"v":1,"op":"nope"}`, `{"op":"open","v":1}`} {
		if op, err := PayloadOp([]byte(bad)); err == nil {
			t.Errorf("%q: taken as %s", bad, op)
		}
	}
}

func TestAPayloadThatWouldNotFitLosesWholeMembersFromTheEndAndSaysSo(t *testing.T) {
	var d Decoder
	for name, e := range samples {
		whole := len(Append(nil, e, 1<<16))
		for limit := MinLimit; limit <= whole+len(truncatedMark); limit++ {
			payload := Append([]byte("kept"), e, limit)[len("kept"):]
			if len(payload) > limit {
				t.Fatalf("%s: %d bytes for a limit of %d", name, len(payload), limit)
			}
			var got Event
			if err := d.Decode(payload, &got); err != nil {
				t.Fatalf("%s: limit %d: %v", name, limit, err)
			}
			if got.Op != e.Op || got.Time != e.Time {
				t.Fatalf("%s: limit %d: operation or time lost", name, limit)
			}
			if !same(got.Clone(), e) && !got.Truncated {
				t.Fatalf("%s: limit %d: cut without a mark: %s", name, limit, payload)
			}
		}
	}
}

func TestWhatIsNotAPayloadIsAnErrorThatNamesTheKey(t *testing.T) {
	for payload, want := range map[string]string{
		``:                                         "parse payload",
		`[]`:                                       "not a JSON object",
		`{"v":1}`:                                  `"op"`,
		`{"v":2,"op":"open"}`:                      "version",
		`{"v":1,"op":"explode"}`:                   "explode",
		`{"v":1,"op":"open","inode":-1}`:           `"inode"`,
		`{"v":1,"op":"open","inode":"7"}`:          `"inode"`,
		`{"v":1,"op":"open","inode":1e400}`:        `"inode"`,
		`{"v":1,"op":"open","user.uid":0.5}`:       `"user.uid"`,
		`{"v":1,"op":"open","host_path":{}}`:       `"host_path"`,
		`{"v":1,"op":"open","failed":"no"}`:        `"failed"`,
		`{"v":1,"op":"open","type":"spoon"}`:       `spoon`,
		`{"v":1,"op":"open","proc.argv":[1]}`:      `"proc.argv"`,
		`{"v":1,"op":"open","proc.argv":"sh"}`:     `"proc.argv"`,
		`{"v":1,"op":"open","flags":"O_RDONLY"}`:   `"flags"`,
		`{"v":1,"op":"open","old.flags":[[]]}`:     `"old.flags"`,
		`{"v":1,"op":"open","proc.apid":["1"]}`:    `"proc.apid"`,
		`{"v":1,"op":"open","proc.apid":1}`:        `"proc.apid"`,
		`{"v":1,"op":"open","proc.host_mntns":1}`:  `"proc.host_mntns"`,
		`{"v":1,"op":"open","mode":420}`:           `"mode"`,
		`{"v":1,"op":"open","mode":""}`:            `"mode"`,
		`{"v":1,"op":"open","mode":"0888"}`:        `"mode"`,
		`{"v":1,"op":"open","old.mode":"rw"}`:      `"old.mode"`,
		`{"v":1,"op":"open","mtime":-1}`:           `"mtime"`,
		`{"v":1,"op":"open","acl":[]}`:             `"acl"`,
		`{"v":1,"op":"open","raw.host_path":"zz"}`: `"raw.host_path"`,
		`{"v":1,"op":"open","host_path":"/a`:       "parse payload",
		strings.Repeat(`{"v":`, 1000):              "parse payload",
	} {
		var d Decoder
		var e Event
		err := d.Decode([]byte(payload), &e)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: got error %v, want one with %s", payload, err, want)
		}
	}
}

func TestUnknownKeysArePassedOver(t *testing.T) {
	var d Decoder
	var e Event
	if err := d.Decode([]byte(`{"v":1,"op":"open","later":[{}],"inode":7}`), &e); err != nil || e.File.Inode != 7 {
		t.Errorf("got inode %d, %v", e.File.Inode, err)
	}
}

func TestACloneSharesNothingWithTheDecoder(t *testing.T) {
	var d Decoder
	var e Event
	for _, name := range []string{"create", "container", "chattr", "hostile-names", "hostile-attributes", "hostile-process"} {
		if err := d.Decode(AppendText(nil, samples[name]), &e); err != nil {
			t.Fatal(err)
		}
		clone := e.Clone()
		var other Event
		if err := d.Decode(Append(nil, samples["rename"], 1<<16), &other); err != nil {
			t.Fatal(err)
		}
		if !same(clone, samples[name]) {
			t.Errorf("%s: clone changed with the next Decode: %+v", name, clone)
		}
	}
}

func TestDecodingAndEncodingDoNotAllocate(t *testing.T) {
	var d Decoder
	var e Event
	buf := make([]byte, 0, 1<<16)
	for _, name := range []string{"create", "container", "chmod", "setacl", "chattr"} {
		payload := Append(nil, samples[name], 1<<16)
		if n := testing.AllocsPerRun(100, func() { _ = d.Decode(payload, &e) }); n != 0 {
			t.Errorf("%s: Decode: %v allocations", name, n)
		}
		if n := testing.AllocsPerRun(100, func() { buf = Append(buf[:0], samples[name], 1<<16) }); n != 0 {
			t.Errorf("%s: Append: %v allocations", name, n)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, e := range samples {
		f.Add(Append(nil, e, 1<<16))
		f.Add(AppendText(nil, e))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		var d, again Decoder
		var e, back Event
		if d.Decode(payload, &e) != nil {
			return
		}
		for _, form := range [][]byte{Append(nil, &e, 1<<20), AppendText(nil, &e)} {
			if err := again.Decode(form, &back); err != nil || !same(&back, &e) {
				t.Fatalf("%q\nbecomes %q\n%v", payload, form, err)
			}
		}
	})
}

func BenchmarkAppend(b *testing.B)           { benchmarkAppend(b, "create") }
func BenchmarkAppendAttributes(b *testing.B) { benchmarkAppend(b, "chmod") }

func benchmarkAppend(b *testing.B, sample string) {
	buf := make([]byte, 0, 1<<16)
	for b.Loop() {
		buf = Append(buf[:0], samples[sample], 1<<16)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkDecode(b *testing.B)           { benchmarkDecode(b, "create") }
func BenchmarkDecodeAttributes(b *testing.B) { benchmarkDecode(b, "chmod") }

func benchmarkDecode(b *testing.B, sample string) {
	var d Decoder
	var e Event
	payload := Append(nil, samples[sample], 1<<16)
	for b.Loop() {
		_ = d.Decode(payload, &e)
	}
	b.SetBytes(int64(len(payload)))
}
