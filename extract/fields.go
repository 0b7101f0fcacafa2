// SPDX-License-Identifier: Apache-2.0

package extract

import (
	"bytes"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

// Fields returns every field in the order of its id: a request's FieldID is
// the index here. The caller may keep and change the slice.
func Fields() []Field { return slices.Clone(fields) }

// opID is the id of fs.op, the one field that is answered without decoding.
const opID = 0

// fields is the table: what Falco lists, what the documentation shows and what
// extraction runs. To add a field, add a row; its name is "fs." and the key of
// the payload member it shows.
//
// A field with a twin in Falco's syscall source has the twin's name behind
// "fs.", its type (the unsigned one where the twin is signed) and its meaning.
// Falco finds a field by the longest declared name that the text begins with,
// character by character, so "fs.dev" beside "fs.dev.major" is fine, but no
// name may be the beginning of a built-in one (fs.path.name and its kind).
var fields = []Field{
	one("fs.op", "What happened: open, create, modify, close, truncate, mmap (a shared mapping that can write), rename, link, symlink, unlink, mkdir, rmdir (also of a subvolume or snapshot of btrfs, which comes and goes with all that is in it), mknod, chmod, chown, utimes, setxattr, removexattr, setacl, chattr, exec, mount or umount (a mount that comes on a watched path or above one and hides files, or goes); attrib where it is not known which of the attributes changed; or lost, when events did not arrive.",
		"create", func(x *Extractor) any { return opValues[x.op] }),
	truth("fs.failed", "Whether the operation was refused, which is told where the key failed asks for it. fs.res then says why.",
		"false", func(e *event.Event) (bool, bool) { return e.Failed, e.Failed || len(e.Res) > 0 }),
	text("fs.res", "The outcome: SUCCESS, or the name of the error (EACCES). Absent when it is not known.",
		"SUCCESS", func(e *event.Event) []byte { return e.Res }),
	list("fs.flags", "What the operation was called with: O_ flags of an open and of a create by open(2), RENAME_ of a rename, PROT_ and MAP_ of an mmap, XATTR_ of a setxattr; of a chattr the FS_..._FL flags that the file has afterwards. Absent when there are none.",
		"(O_WRONLY,O_CREAT,O_TRUNC)", func(e *event.Event) [][]byte { return e.Flags }),
	truth("fs.is_open_read", "Whether an open, or a create by open(2), asked to read. Absent of other operations.",
		"false", func(e *event.Event) (bool, bool) { return opensFor(e, "O_RDONLY") }),
	truth("fs.is_open_write", "Whether an open, or a create by open(2), asked to write. Absent of other operations.",
		"true", func(e *event.Event) (bool, bool) { return opensFor(e, "O_WRONLY") }),
	truth("fs.created", "Whether open(2) made the file: true of a create by it, false of an open. Absent of other operations, and of a create of which it is not known.",
		"true", created),
	text("fs.watch", "The pattern of the configuration that the file matched, the most specific one.",
		"/etc", func(e *event.Event) []byte { return e.Watch }),
	text("fs.reason", "Why it is told: path, since the path on the host is watched; hardlink, since the file has another name that is; mount, since the file is mounted by itself where it is, and it was a name of it elsewhere that changed; container, since the path inside a container's filesystem is (key containers); followed, since the file, or a directory above it, was moved out of where it is watched (key follow).",
		"path", reason),
	truth("fs.alias", "Whether a file is watched by another name (hard link) than the one that was used: whether fs.reason is hardlink.",
		"false", func(e *event.Event) (bool, bool) {
			return bytes.Equal(e.Reason, event.Hardlink), len(e.Watch) > 0
		}),
	truth("fs.truncated", "Whether something of this event is missing because it was too long.",
		"false", func(e *event.Event) (bool, bool) { return e.Truncated, true }),

	text("fs.host_path", "The path of the file on the host, whatever name, mount or container the access came by; for a rename or link the new one. Of a file with several names it is the watched one, except of a rename, link or unlink of another. Absent when the file has no path there: where nothing mounted on the host shows it, or another mount hides it.",
		"/etc/cron.d/job", func(e *event.Event) []byte { return e.File.HostPath }),
	text("fs.directory", "The directory part of fs.host_path.",
		"/etc/cron.d", func(e *event.Event) []byte { return directory(e.File.HostPath) }),
	text("fs.filename", "The last component of fs.host_path.",
		"job", func(e *event.Event) []byte { return filename(e.File.HostPath) }),
	raw("fs.raw.host_path", "The bytes of fs.host_path in hexadecimal, for names that hold control characters or are not UTF-8.",
		"2f6574632f63726f6e2e642f6a6f62", func(e *event.Event) []byte { return e.File.HostPath }),
	text("fs.alias_path", "The path on the host that was used, where fs.host_path is another name of the file. Absent where it is that name itself.",
		"/tmp/x", func(e *event.Event) []byte { return e.File.AliasPath }),
	raw("fs.raw.alias_path", "The bytes of fs.alias_path in hexadecimal.",
		"2f746d702f78", func(e *event.Event) []byte { return e.File.AliasPath }),
	text("fs.view_path", "The path of the file as the process saw it, inside its own root directory and mounts; for a rename or link the new one.",
		"/conf/cron.d/job", func(e *event.Event) []byte { return e.File.ViewPath }),
	raw("fs.raw.view_path", "The bytes of fs.view_path in hexadecimal.",
		"2f636f6e662f63726f6e2e642f6a6f62", func(e *event.Event) []byte { return e.File.ViewPath }),
	number("fs.inode", "The inode number of the file (st_ino).",
		"131842", func(e *event.Event) event.Uint { return nonzero(e.File.Inode) }),
	number("fs.dev", "The device of the filesystem that holds the file, as stat(2) encodes it (st_dev).",
		"64768", func(e *event.Event) event.Uint { return nonzero(e.File.Dev) }),
	number("fs.dev.major", "The major number of fs.dev.",
		"253", func(e *event.Event) event.Uint {
			return event.Uint{V: uint64(unix.Major(e.File.Dev)), Known: e.File.Dev != 0}
		}),
	number("fs.dev.minor", "The minor number of fs.dev.",
		"0", func(e *event.Event) event.Uint {
			return event.Uint{V: uint64(unix.Minor(e.File.Dev)), Known: e.File.Dev != 0}
		}),
	one("fs.type", "The type of the file: file, directory, symlink, fifo, socket, char or block.",
		"file", func(x *Extractor) any { return typeValues[x.event.File.Type] }),
	text("fs.fstype", "The type of the filesystem that holds the file.",
		"ext4", func(e *event.Event) []byte { return e.File.FSType }),
	text("fs.layer", "Of a file on overlayfs, where its content lay: upper, which the container has written, or lower, which the image has brought.",
		"upper", func(e *event.Event) []byte { return e.File.Layer }),
	number("fs.real.inode", "Of a file in the upper layer of overlayfs, its inode number there.",
		"525441", func(e *event.Event) event.Uint { return nonzero(e.File.RealInode) }),
	number("fs.real.dev", "The device of the filesystem that holds the upper layer, as fs.dev. Absent on btrfs.",
		"64768", func(e *event.Event) event.Uint { return nonzero(e.File.RealDev) }),
	number("fs.mount_id", "The mount that the process used, as /proc/PID/mountinfo numbers it; for a rename or link that of the new name.",
		"31", func(e *event.Event) event.Uint { return e.File.MountID }),
	text("fs.mountpoint", "Where the mount through which fs.host_path leads is mounted on the host.",
		"/", func(e *event.Event) []byte { return e.File.Mountpoint }),
	truth("fs.deleted", "True when the last name of the file is gone. Absent when it is not, or not known to be.",
		"true", func(e *event.Event) (bool, bool) { return true, e.File.Deleted }),
	text("fs.link.target", "What a symbolic link points to, as stored in it.",
		"../run/resolv.conf", func(e *event.Event) []byte { return e.File.LinkTarget }),
	number("fs.nlink", "The number of names (hard links) after the operation.",
		"1", func(e *event.Event) event.Uint { return e.File.Nlink }),
	number("fs.size", "The size of a regular file in bytes after the operation. Absent of a modify, whose write is still under way.",
		"57", func(e *event.Event) event.Uint { return e.File.Size }),

	mode("fs.mode", "The permission bits after the operation, in octal with at least four digits.",
		"0644", func(e *event.Event) event.Uint { return e.File.Mode }),
	truth("fs.is_setuid", "Whether fs.mode has the set-user-ID bit.",
		"false", func(e *event.Event) (bool, bool) { return modeHas(e, unix.S_ISUID) }),
	truth("fs.is_setgid", "Whether fs.mode has the set-group-ID bit.",
		"false", func(e *event.Event) (bool, bool) { return modeHas(e, unix.S_ISGID) }),
	truth("fs.is_world_writable", "Whether fs.mode lets everybody write. Absent of symbolic links, whose mode means nothing.",
		"false", worldWritable),
	truth("fs.is_executable", "Whether it is a regular file that fs.mode lets anybody execute.",
		"true", executable),
	number("fs.owner.uid", "The user id of the file's owner after the operation, on the host.",
		"0", func(e *event.Event) event.Uint { return e.File.UID }),
	text("fs.owner.name", "The name of fs.owner.uid in the host's file of users. Absent when there is none.",
		"root", func(e *event.Event) []byte { return e.File.Owner }),
	number("fs.owner.gid", "The group id of the file after the operation, on the host.",
		"0", func(e *event.Event) event.Uint { return e.File.GID }),
	text("fs.owner.group", "The name of fs.owner.gid in the host's file of groups. Absent when there is none.",
		"root", func(e *event.Event) []byte { return e.File.Group }),
	number("fs.mtime", "When the content was last modified, as the file says after the operation, in nanoseconds since the epoch. Absent of a time before 1970.",
		"1732216800123456789", func(e *event.Event) event.Uint { return e.File.Mtime }),
	number("fs.atime", "When the content was last read, as the file says after the operation, in nanoseconds since the epoch. Absent of a time before 1970.",
		"1732216800123456789", func(e *event.Event) event.Uint { return e.File.Atime }),
	text("fs.xattr.name", "The extended attribute that was set or removed; of an access control list system.posix_acl_access or system.posix_acl_default.",
		"security.capability", func(e *event.Event) []byte { return e.File.XattrName }),
	text("fs.acl", "The POSIX access control list after the operation: what getfacl prints, joined by commas, with ids as numbers. none when there is no list, as after its removal.",
		"user::rw-,user:1000:rw-,group::r--,mask::rw-,other::r--", func(e *event.Event) []byte { return e.File.ACL }),

	text("fs.old.host_path", "The path on the host before a rename.",
		"/tmp/job", func(e *event.Event) []byte { return e.Old.HostPath }),
	raw("fs.raw.old.host_path", "The bytes of fs.old.host_path in hexadecimal.",
		"2f746d702f6a6f62", func(e *event.Event) []byte { return e.Old.HostPath }),
	text("fs.old.view_path", "The path before a rename, as the process saw it.",
		"/tmp/job", func(e *event.Event) []byte { return e.Old.ViewPath }),
	raw("fs.raw.old.view_path", "The bytes of fs.old.view_path in hexadecimal.",
		"2f746d702f6a6f62", func(e *event.Event) []byte { return e.Old.ViewPath }),
	number("fs.old.inode", "The inode number of the file that a rename replaced. Absent when there was none.",
		"131843", func(e *event.Event) event.Uint { return nonzero(e.Old.Inode) }),
	number("fs.old.size", "The size in bytes before the change: of a modify or a truncate before it, of a close before the first write through this open file.",
		"0", func(e *event.Event) event.Uint { return e.Old.Size }),
	mode("fs.old.mode", "The permission bits before the operation, as fs.mode.",
		"0600", func(e *event.Event) event.Uint { return e.Old.Mode }),
	number("fs.old.owner.uid", "The user id of the file's owner before the operation.",
		"1000", func(e *event.Event) event.Uint { return e.Old.UID }),
	number("fs.old.owner.gid", "The group id of the file before the operation.",
		"1000", func(e *event.Event) event.Uint { return e.Old.GID }),
	number("fs.old.mtime", "The time of the last modification before the operation, as fs.mtime.",
		"1732216700000000000", func(e *event.Event) event.Uint { return e.Old.Mtime }),
	truth("fs.is_fresh", "Whether the content was last modified (fs.old.mtime) since the process started, so that most likely it has written the file itself, as tar, cp and rsync have where they set times. Absent where either time is not known.",
		"true", fresh),
	text("fs.old.acl", "The access control list before the operation, as fs.acl. none when there was none.",
		"none", func(e *event.Event) []byte { return e.Old.ACL }),
	list("fs.old.flags", "The flags that the file had before a chattr. Absent when there were none.",
		"(FS_IMMUTABLE_FL)", func(e *event.Event) [][]byte { return e.Old.Flags }),

	number("fs.proc.pid", "The id of the process that did it, on the host.",
		"4711", func(e *event.Event) event.Uint { return nonzero(e.Proc.Pid) }),
	number("fs.proc.vpid", "The id of the process in its own pid namespace: what it has in its container.",
		"7", func(e *event.Event) event.Uint { return e.Proc.Vpid }),
	number("fs.proc.tid", "The id of the thread that did it, on the host. Of a process with one thread it is fs.proc.pid.",
		"4712", func(e *event.Event) event.Uint { return nonzero(e.Proc.Tid) }),
	number("fs.proc.ppid", "The id of its parent.",
		"1", func(e *event.Event) event.Uint { return e.Proc.Ppid }),
	number("fs.proc.pid.ts", "When the process started, in nanoseconds since the epoch. With fs.proc.pid it names a process for good.",
		"1732216799000000000", func(e *event.Event) event.Uint { return nonzero(e.Proc.Start) }),
	text("fs.proc.name", "The name of the process (comm), at most 15 bytes.",
		"sh", func(e *event.Event) []byte { return e.Proc.Comm }),
	text("fs.proc.tname", "The name of the thread that did it, at most 15 bytes.",
		"pool-1-thread-2", func(e *event.Event) []byte { return e.Proc.ThreadComm }),
	built("fs.proc.exe", "The first command line argument (argv[0]): usually the name of the program, but the caller may choose it.",
		"sh", argv0),
	text("fs.proc.exepath", "The full path of the executable.",
		"/usr/bin/dash", func(e *event.Event) []byte { return e.Proc.Exe }),
	built("fs.proc.cmdline", "fs.proc.name and fs.proc.args, separated by a space.",
		"sh -c echo x > /etc/cron.d/job", cmdline),
	built("fs.proc.args", "The command line arguments without argv[0], separated by spaces. Empty when there are none, absent when they are not known.",
		"-c echo x > /etc/cron.d/job", args),
	truth("fs.proc.args_cut", "Whether fs.proc.args lacks its end, because it is longer than 4096 bytes. Absent where fs.proc.args is.",
		"false", func(e *event.Event) (bool, bool) { return e.Proc.ArgsCut, e.Proc.ArgsCut || len(e.Proc.Argv) > 0 }),
	built("fs.proc.cwd", "The current working directory, with a slash at its end.",
		"/root/", cwd),
	number("fs.proc.sid", "The session of the process: the id of the process that leads it, on the host.",
		"4700", func(e *event.Event) event.Uint { return e.Proc.SID }),
	number("fs.proc.tty", "The device number of the controlling terminal, 0 when there is none.",
		"34816", func(e *event.Event) event.Uint { return e.Proc.TTY }),
	text("fs.proc.pname", "The name of the parent (comm).",
		"bash", func(e *event.Event) []byte { return parent(e.Proc.AncestorComms) }),
	text("fs.proc.pexepath", "The full path of the executable of the parent.",
		"/usr/bin/bash", func(e *event.Event) []byte { return parent(e.Proc.AncestorExes) }),
	built("fs.proc.pcmdline", "fs.proc.cmdline of the parent.",
		"bash -l", func(buf []byte, e *event.Event) ([]byte, bool) {
			return commandLine(buf, parent(e.Proc.AncestorComms), e.Proc.ParentArgv)
		}),
	nth("fs.proc.aname", "The name of the process (0), its parent (1), the parent of that (2), and so on, up to 8.",
		"sshd", func(p *event.Process) []byte { return p.Comm }, func(p *event.Process) [][]byte { return p.AncestorComms }),
	{Name: "fs.proc.apid", Type: Uint64, Index: true, Desc: "The id on the host, counted as in fs.proc.aname.",
		Example: "812", value: nthPid},
	nth("fs.proc.aexepath", "The full path of the executable, counted as in fs.proc.aname.",
		"/usr/sbin/sshd", func(p *event.Process) []byte { return p.Exe }, func(p *event.Process) [][]byte { return p.AncestorExes }),
	{Name: "fs.proc.anames", Type: String, List: true, Desc: "The names of the processes above it, the parent first, as far as they are known, 8 at most.",
		Example: "(bash,sshd,systemd)", value: ancestorNames},
	number("fs.proc.mntns", "The mount namespace of the process, by the inode number that /proc/PID/ns/mnt shows.",
		"4026531841", func(e *event.Event) event.Uint { return e.Proc.MntNS }),
	number("fs.proc.pidns", "The pid namespace of the process, by the inode number that /proc/PID/ns/pid shows.",
		"4026531836", func(e *event.Event) event.Uint { return e.Proc.PidNS }),
	maybe("fs.proc.host_mntns", "Whether fs.proc.mntns is that of the host, so that the process sees the host's mounts.",
		"true", func(e *event.Event) event.Bool { return e.Proc.HostMntNS }),

	number("fs.user.uid", "The effective user id of the process, on the host.",
		"0", func(e *event.Event) event.Uint { return e.Proc.UID }),
	text("fs.user.name", "The name of fs.user.uid in the host's file of users. Absent when there is none.",
		"root", func(e *event.Event) []byte { return e.Proc.User }),
	number("fs.user.euid", "The effective user id: fs.user.uid by the name that says so.",
		"0", func(e *event.Event) event.Uint { return e.Proc.UID }),
	number("fs.user.ruid", "The real user id of the process, on the host. It differs from fs.user.uid in a set-user-ID program.",
		"1000", func(e *event.Event) event.Uint { return e.Proc.RUID }),
	number("fs.user.loginuid", "The audit login id: who logged in, whatever su or sudo came later. Absent when it was never set.",
		"1000", func(e *event.Event) event.Uint { return e.Proc.LoginUID }),
	text("fs.user.loginname", "The name of fs.user.loginuid in the host's file of users. Absent when there is none.",
		"olga", func(e *event.Event) []byte { return e.Proc.Login }),
	number("fs.group.gid", "The effective group id of the process, on the host.",
		"0", func(e *event.Event) event.Uint { return e.Proc.GID }),
	text("fs.group.name", "The name of fs.group.gid in the host's file of groups. Absent when there is none.",
		"root", func(e *event.Event) []byte { return e.Proc.Group }),
	number("fs.group.egid", "The effective group id: fs.group.gid by the name that says so.",
		"0", func(e *event.Event) event.Uint { return e.Proc.GID }),
	number("fs.group.rgid", "The real group id of the process, on the host. It differs from fs.group.gid in a set-group-ID program.",
		"1000", func(e *event.Event) event.Uint { return e.Proc.RGID }),

	text("fs.container.id", "The id of the container that the process is in, its first 12 characters where it is 64 hexadecimal digits. Absent of a process of the host, as all fields of a container.",
		"3f4b8f2d9f6a", func(e *event.Event) []byte { return shortID(e.Container.ID) }),
	text("fs.container.full_id", "The whole id of the container.",
		"3f4b8f2d9f6a1c0e5d7b8a9c0d1e2f3a4b5c6d7e8f901a2b3c4d5e6f70819203", func(e *event.Event) []byte { return e.Container.ID }),
	text("fs.container.name", "The name of the container, from the files of its runtime or its logs. Absent when they do not tell.",
		"web", func(e *event.Event) []byte { return e.Container.Name }),
	text("fs.container.image", "The name of its image, from the files of its runtime. Absent when they do not tell.",
		"docker.io/library/nginx:1.27", func(e *event.Event) []byte { return e.Container.Image }),
	text("fs.container.runtime", "What runs it: docker, containerd, cri-o, podman, runc, lxc or systemd-nspawn.",
		"containerd", func(e *event.Event) []byte { return e.Container.Runtime }),
	text("fs.cgroup", "The control group of the process, below the root of its hierarchy. Where version 2 is not in use, the one of version 1 that tells most.",
		"/system.slice/cron.service", func(e *event.Event) []byte { return e.Proc.Cgroup }),
	text("fs.k8s.pod.name", "The name of the Kubernetes pod of the container.",
		"web-0", func(e *event.Event) []byte { return e.Pod.Name }),
	text("fs.k8s.pod.uid", "The uid of the pod.",
		"0a1b2c3d-0000-4000-8000-0123456789ab", func(e *event.Event) []byte { return e.Pod.UID }),
	text("fs.k8s.ns.name", "The Kubernetes namespace of the pod.",
		"shop", func(e *event.Event) []byte { return e.Pod.Namespace }),

	number("fs.lost.count", "How many events were lost. Absent when the kernel does not count them.",
		"1204", func(e *event.Event) event.Uint { return e.Lost.Count }),
	text("fs.lost.reason", "Why events were lost, in one word.",
		"queue_full", func(e *event.Event) []byte { return e.Lost.Reason }),
}

// opValues and typeValues hold the names as the values that a request takes,
// so that the fields that rules ask for most cost no allocation.
var (
	opValues = func() (v [256]any) {
		for _, op := range event.Ops() {
			v[op] = op.String()
		}
		return v
	}()
	typeValues = func() (v [256]any) {
		for i := range v {
			if name := event.Type(i).String(); name != "" {
				v[i] = name
			}
		}
		return v
	}()
)

// opensFor says whether an opening asked for what mode, O_RDONLY or O_WRONLY, and
// O_RDWR stand for.
func opensFor(e *event.Event, mode string) (v, known bool) {
	if e.Op != event.OpOpen && e.Op != event.OpCreate {
		return false, false
	}
	for _, flag := range e.Flags {
		switch string(flag) {
		case mode, "O_RDWR":
			return true, true
		case "O_RDONLY", "O_WRONLY":
			known = true
		}
	}
	return false, known
}

// created says whether an opening made the file. Only one by open(2) has flags:
// mknod(2), or giving a name to a file that had none, creates without.
func created(e *event.Event) (v, known bool) {
	switch e.Op {
	case event.OpOpen:
		return false, true
	case event.OpCreate:
		return !e.Failed, len(e.Flags) > 0
	}
	return false, false
}

// fileTimeLag is how far the time that the kernel gives to files is behind the
// clock of processes: a tick (ktime_get_coarse_real_ts64), 10 ms at most.
const fileTimeLag = 10_000_000

func fresh(e *event.Event) (v, known bool) {
	return e.Old.Mtime.V+fileTimeLag >= e.Proc.Start, e.Old.Mtime.Known && e.Proc.Start != 0
}

func modeHas(e *event.Event, bits uint64) (v, known bool) {
	return e.File.Mode.V&bits != 0, e.File.Mode.Known
}

func worldWritable(e *event.Event) (v, known bool) {
	v, known = modeHas(e, unix.S_IWOTH)
	return v, known && e.File.Type != event.TypeSymlink
}

func executable(e *event.Event) (v, known bool) {
	v, known = modeHas(e, unix.S_IXUSR|unix.S_IXGRP|unix.S_IXOTH)
	return v && e.File.Type == event.TypeFile, known && e.File.Type != 0
}

func directory(path []byte) []byte {
	if i := bytes.LastIndexByte(path, '/'); i > 0 {
		return path[:i]
	}
	return path[:min(len(path), 1)] // "/" of "/x"
}

func filename(path []byte) []byte { return path[bytes.LastIndexByte(path, '/')+1:] }

func argv0(buf []byte, e *event.Event) ([]byte, bool) {
	if len(e.Proc.Argv) == 0 {
		return buf, false
	}
	return append(buf, e.Proc.Argv[0]...), true
}

func args(buf []byte, e *event.Event) ([]byte, bool) { return arguments(buf, e.Proc.Argv) }

func arguments(buf []byte, argv [][]byte) ([]byte, bool) {
	for i, arg := range argv[min(1, len(argv)):] {
		if i > 0 {
			buf = append(buf, ' ')
		}
		buf = append(buf, arg...)
	}
	return buf, len(argv) > 0
}

func cmdline(buf []byte, e *event.Event) ([]byte, bool) {
	return commandLine(buf, e.Proc.Comm, e.Proc.Argv)
}

// commandLine begins with the name, not with argv[0], as Falco's does.
func commandLine(buf, comm []byte, argv [][]byte) ([]byte, bool) {
	if len(comm) == 0 {
		return buf, false
	}
	buf = append(buf, comm...)
	if len(argv) > 1 {
		buf = append(buf, ' ')
	}
	return arguments(buf, argv)
}

// parent is the first of a list of ancestors.
func parent(list [][]byte) []byte {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

// ancestorNames is the value of fs.proc.anames.
func ancestorNames(x *Extractor) any {
	unknown := func(name string) bool { return name == "" }
	if list := slices.DeleteFunc(x.texts(x.event.Proc.AncestorComms), unknown); len(list) > 0 {
		return list
	}
	return nil
}

// nthPid is the value of fs.proc.apid.
func nthPid(x *Extractor) any {
	p := &x.event.Proc
	switch {
	case x.index == 0 && p.Pid != 0:
		return p.Pid
	case x.index > 0 && x.index <= uint64(len(p.AncestorPids)):
		return p.AncestorPids[x.index-1]
	}
	return nil
}

// shortID is a container's id as Falco and docker show it.
func shortID(id []byte) []byte {
	const whole, short = 64, 12
	notHex := func(r rune) bool { return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'f') }
	if len(id) != whole || bytes.IndexFunc(id, notHex) >= 0 {
		return id
	}
	return id[:short]
}

func cwd(buf []byte, e *event.Event) ([]byte, bool) {
	buf = append(buf, e.Proc.Cwd...)
	if !bytes.HasSuffix(buf, []byte{'/'}) {
		buf = append(buf, '/')
	}
	return buf, len(e.Proc.Cwd) > 0
}
