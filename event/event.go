// SPDX-License-Identifier: Apache-2.0

// Package event holds the one record that every part of fim speaks: what the
// kernel side fills, what Falco's fields are read from, and what the command
// line prints.
//
// Four things may surprise. What is not known is absent: an empty name, a
// Uint that is not Known, a zero enumeration; no part ever writes a guess.
// Names are raw bytes as the kernel holds them, not text: they may hold
// newlines, escape sequences and invalid UTF-8. And byte slices of an Event
// usually alias a buffer of whoever filled it, so a caller that keeps an Event
// past the next read copies it with [Event.Clone]. And nobody writes to a slice
// that is not his own: backends assign names, and lists of names, that all
// events share.
package event

import (
	"math"
	"slices"
)

// Uint is a number that may be unknown. The zero value is unknown, which keeps
// "user id 0" and "user id not known" apart.
type Uint struct {
	V     uint64
	Known bool
}

// Known returns v as a known number.
func Known(v uint64) Uint { return Uint{V: v, Known: true} }

// Bool is a truth that may be unknown, as its zero value is.
type Bool struct{ V, Known bool }

// KnownBool returns v as a known truth.
func KnownBool(v bool) Bool { return Bool{V: v, Known: true} }

// UnixTime returns a time that the kernel holds as seconds and nanoseconds since
// the Unix epoch, in nanoseconds. Before 1970, and from 2554 on, it is unknown:
// Falco's numbers are unsigned, and a wrong one would be worse than none.
func UnixTime(sec int64, nsec uint32) Uint {
	const last = math.MaxUint64/1_000_000_000 - 1 // any nanoseconds fit
	if sec < 0 || sec > last {
		return Uint{}
	}
	return Known(uint64(sec)*1e9 + uint64(nsec))
}

// Event is one thing that happened to one watched file.
type Event struct {
	Op Op
	// Time is when it happened, in nanoseconds since the Unix epoch.
	Time uint64
	// Boot is the same moment on CLOCK_BOOTTIME, in nanoseconds. Backends set
	// it and the source turns it into Time; it is not part of the payload.
	Boot uint64
	// Failed says that the operation was refused; Res then names the errno.
	Failed bool
	// Res is [Success] or the errno's name ("EACCES"); empty when the outcome
	// is not known.
	Res []byte
	// Watch is the pattern, as configured, that made this event one of ours.
	Watch []byte
	// Reason is [Hardlink] when the pattern names the file by another name than the
	// one that was used, [Mounted] when the file is mounted by itself there, [InContainer] when it names the path inside a container's
	// filesystem, [Followed] when the file was moved out of where it names it, and
	// empty when it names the path on the host.
	Reason []byte
	// Truncated says that a name was too long for the kernel side or that
	// members were left out of the payload because it would not fit.
	Truncated bool
	// Flags are the names of what the operation was called with, as its manual
	// page spells them: of an open, and of a create by open(2), the access mode
	// (O_RDONLY, O_WRONLY or O_RDWR) and the other O_ flags; RENAME_ of a rename,
	// PROT_ and MAP_ of an mmap, XATTR_ of a setxattr; of a chattr the FS_..._FL
	// flags that the file has afterwards. Empty when there are none, or when they
	// are not known. A backend appends names that it holds to a list that it uses
	// again, or assigns a list that it holds; neither takes memory for an event.
	Flags [][]byte

	File File
	Old  Old
	Proc Process
	// Container is the one that the process was in, and Pod the pod of that;
	// empty for a process of the host.
	Container Container
	Pod       Pod
	Lost      Lost
}

// Success is the value of [Event.Res] for an operation that succeeded.
const Success = "SUCCESS"

// SuccessBytes is [Success] as a shared slice for backends to assign; never
// written to.
var SuccessBytes = []byte(Success)

// Hardlink is the value of [Event.Reason] for what was done through another name of
// a watched file. It is shared, never written to.
var Hardlink = []byte("hardlink")

// Mounted is the value of [Event.Reason] for what was done to a name of a file that is
// mounted by itself where it is watched, or through a name of it that has changed
// meanwhile. It is shared, never written to.
var Mounted = []byte("mount")

// InContainer is the value of [Event.Reason] where the pattern names the path inside an
// overlay filesystem, as of a container. It is shared, never written to.
var InContainer = []byte("container")

// Followed is the value of [Event.Reason] for what was moved out of the watched places,
// or lies in a directory that was. It is shared, never written to.
var Followed = []byte("followed")

// File is the file an event is about, as it was when the event happened.
type File struct {
	// HostPath is the absolute path on the host; for a rename the new one. Of a
	// file with several names it is the one that is watched, where the operation
	// is not about names. Empty when the file has no path there (detached mount,
	// opened by handle).
	HostPath []byte
	// AliasPath is the path on the host that was used, where HostPath is another
	// name of the file.
	AliasPath []byte
	// ViewPath is the absolute path inside the process's own root and mounts.
	ViewPath []byte
	// Inode and Dev are st_ino and st_dev as stat(2) shows them; zero is
	// unknown, which no filesystem uses for either.
	Inode uint64
	Dev   uint64
	Type  Type
	// FSType is the filesystem's name as in /proc/filesystems ("ext4").
	FSType []byte
	// Mountpoint is where the mount through which HostPath leads is mounted.
	Mountpoint []byte
	// LinkTarget is what a symbolic link points to, as stored in it.
	LinkTarget []byte
	// Layer is [Upper] or [Lower] of a file on overlayfs, by where its content lay
	// when the event happened. RealInode and RealDev are then st_ino of the file in
	// the upper layer and the device of the filesystem that holds it; zero is unknown.
	Layer     []byte
	RealInode uint64
	RealDev   uint64
	// MountID is the mount that the process used, as /proc/PID/mountinfo numbers
	// it; of a rename or link the one of the new name.
	MountID Uint
	// Size is the size in bytes after the operation.
	Size Uint
	// Nlink is the number of names, Mode the permission bits (07777), UID and GID
	// the owner on the host, each after the operation.
	Nlink Uint
	Mode  Uint
	UID   Uint
	GID   Uint
	// Owner and Group are the names of UID and GID in the host's files.
	Owner []byte
	Group []byte
	// Mtime and Atime are the times of the last modification and access after
	// the operation, in nanoseconds since the Unix epoch; see [UnixTime].
	Mtime Uint
	Atime Uint
	// XattrName is the extended attribute that was set or removed, with its
	// namespace; of an access control list system.posix_acl_access or _default.
	XattrName []byte
	// ACL is the access control list after the operation, entries as getfacl(1)
	// prints them joined by commas, ids as numbers of the host, those of a default
	// list with "default:" before each: "user::rw-,user:1000:r--,group::r--,…".
	// [NoACL] is the absence of a list, as after its removal; empty is unknown.
	ACL []byte
	// Deleted says that the last name of the file is gone.
	Deleted bool
}

// NoACL is the value of [File.ACL] and [Old.ACL] where there is no list, so that
// the mode alone decides. It is shared, never written to.
var NoACL = []byte("none")

// The values of [File.Layer], shared and never written to.
var (
	Upper = []byte("upper")
	Lower = []byte("lower")
)

// Old is what was there before the operation.
type Old struct {
	// HostPath and ViewPath are the names before a rename.
	HostPath []byte
	ViewPath []byte
	// Inode is the file that a rename replaced; zero when there was none or it
	// is not known.
	Inode uint64
	// Size is the size in bytes before the change.
	Size Uint
	// Mode, UID, GID, Mtime and ACL are what [File] has of them, before the
	// change.
	Mode  Uint
	UID   Uint
	GID   Uint
	Mtime Uint
	ACL   []byte
	// Flags are the inode's flags before a chattr, as in [Event.Flags].
	Flags [][]byte
}

// Process is who did it: the task in whose context the operation ran, and for
// a close the one that wrote. Ids are those of the host's namespaces. Whoever
// describes a process, the kernel side or /proc, fills what it can prove.
type Process struct {
	Pid  uint64 // thread group id; zero when not known
	Tid  uint64 // zero when not known
	Ppid Uint
	// Vpid is the id that the process itself goes by, in its own pid namespace.
	Vpid Uint
	// SID is the process that leads its session. TTY is the device number of its
	// controlling terminal, as new_encode_dev() of linux/kdev_t.h makes it, and
	// zero when it has none.
	SID Uint
	TTY Uint
	// Start is when the process started, in nanoseconds since the Unix epoch;
	// with Pid it names a process for good.
	Start uint64
	// Comm is the kernel's name of the process's main thread, at most 15 bytes.
	Comm []byte
	// ThreadComm is the kernel's name of the thread.
	ThreadComm []byte
	// Exe is the absolute path of the executable, without " (deleted)".
	Exe []byte
	Cwd []byte
	// UID and GID are the effective ids, RUID and RGID the real ones.
	UID  Uint
	GID  Uint
	RUID Uint
	RGID Uint
	// LoginUID is the audit login uid; unknown when it was never set.
	LoginUID Uint
	// User, Group and Login are the names of UID, GID and LoginUID in the host's
	// files.
	User  []byte
	Group []byte
	Login []byte
	// Argv is the argument vector, the program's own name first. ArgsCut says that
	// it was longer than what was kept of it.
	Argv    [][]byte
	ArgsCut bool
	// MntNS and PidNS are its mount and pid namespace, by the inode numbers that
	// /proc/PID/ns shows. HostMntNS says whether the first is the host's.
	MntNS     Uint
	PidNS     Uint
	HostMntNS Bool
	// Cgroup is the path of its control group, below the root of the hierarchy:
	// of version 2 where that is in use, else of the version 1 that tells most.
	Cgroup []byte
	// The processes above it, the parent first, at most [MaxAncestors]: index i of
	// each list is the same process, and an empty name one that is not known.
	AncestorPids  []uint64
	AncestorComms [][]byte
	AncestorExes  [][]byte
	// ParentArgv is the argument vector of the parent.
	ParentArgv [][]byte
}

// MaxAncestors is how many processes above the one that acted an event tells.
const MaxAncestors = 8

// Container is what is known of a container. Whoever runs in it may choose
// nothing of it.
type Container struct {
	// ID is the whole id: 64 hexadecimal digits of most runtimes, a name of those
	// that know their containers by one (runc, lxc, systemd-nspawn).
	ID []byte
	// Runtime is docker, containerd, cri-o, podman, runc, lxc or systemd-nspawn.
	Runtime []byte
	Name    []byte
	// Image is the name of the image as the runtime was told it.
	Image []byte
}

// Pod is the Kubernetes pod of a container.
type Pod struct{ Name, UID, Namespace []byte }

// Lost tells of events that did not arrive. Only events with [OpLost] fill it.
type Lost struct {
	// Count is how many were lost; unknown when the kernel does not count.
	Count Uint
	// Reason is one of [LossReasons].
	Reason []byte
}

// Clone returns a copy that shares no memory with e.
func (e *Event) Clone() *Event {
	c := *e
	for i := range members {
		switch p := members[i].at(&c).(type) {
		case *[]byte:
			*p = slices.Clone(*p)
		case *[]uint64:
			*p = slices.Clone(*p)
		case *[][]byte:
			*p = slices.Clone(*p)
			for j := range *p {
				(*p)[j] = slices.Clone((*p)[j])
			}
		}
	}
	return &c
}
