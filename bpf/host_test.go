// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"bufio"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/watch"
)

// guest is fim in a container: in a mount namespace of its own, to which nothing
// is propagated, with the host's root directory at args[0] and a mount of its own
// over the first pattern, args[1]. It writes down what it sees until the directory
// "end" is made.
func guest(args []string) error {
	if err := errors.Join(unix.Unshare(unix.CLONE_NEWNS|unix.CLONE_FS), unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("/", args[0], "", unix.MS_BIND, ""), unix.Mount("fim", args[1], "tmpfs", 0, "")); err != nil {
		return err
	}
	set, err := watch.Compile(watch.Options{Include: []watch.Pattern{{Glob: args[1]}, {Glob: args[2]}}})
	if err != nil {
		return err
	}
	o := Options{Set: set, Ops: []event.Op{event.OpCreate, event.OpMkdir}, HostRoot: args[0],
		Place: func(dst []Place, _, _ uint64, _ []byte, _ bool) []Place { return dst }} // then the kernel side's word counts
	flavoursUnderTest(&o)
	b, err := Open(o)
	if err != nil {
		return err
	}
	defer b.Close()
	fmt.Println("ready")
	for {
		var e event.Event
		if err := b.Next(&e, time.Now().Add(20*time.Second)); err != nil {
			return err
		}
		fmt.Println(e.Op, e.File.Inode)
		if e.Op == event.OpMkdir {
			return nil
		}
	}
}

// In a container the host's mounts are those of the first process.
func TestFromAContainerTheMountsOfTheHostCount(t *testing.T) {
	skipWhereRefused(t)
	root := t.TempDir()
	host, one, two := makeDir(t, root, "host"), makeDir(t, root, "one"), makeDir(t, root, "two/m")
	cmd := actor("guest", host, one, filepath.Dir(two))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "ready" {
		t.Fatalf("the guest did not start: %s", lines.Text())
	}
	file, later := filepath.Join(one, "f"), filepath.Join(two, "f")
	if out, err := MountActor(step("mknod", file), step("tmpfs", two), step("mknod", later), step("mkdir", filepath.Join(one, "end"))).Output(); err != nil {
		t.Fatalf("the actor failed: %v %s", err, out)
	}
	t.Cleanup(func() { unix.Unmount(two, unix.MNT_DETACH) })
	var got []string
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "mkdir ") {
		got = append(got, lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	equal(t, got, []string{fmt.Sprint("create ", inode(t, file)), fmt.Sprint("create ", inode(t, later))})
}

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

func init() { actors["guest"] = guest }
