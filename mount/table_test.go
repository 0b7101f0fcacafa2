// SPDX-License-Identifier: Apache-2.0

package mount

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func load(t testing.TB, name string) *Table {
	t.Helper()
	table, err := Read(filepath.Join("testdata", name+".mountinfo"))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func hosts(t *Table, major, minor uint32, inFS string) []string {
	return names(t.HostPaths(nil, unix.Mkdev(major, minor), []byte(inFS)))
}

func names(paths []Path) []string {
	var list []string
	for _, p := range paths {
		list = append(list, string(p.Host))
	}
	return list
}

func TestAPlaceIsVisibleWhereItsMountsShowIt(t *testing.T) {
	for _, c := range []struct {
		table        string
		major, minor uint32
		inFS         string
		want         []string
	}{
		// subvolumes of one superblock, and one mounted at two places
		{"fedora-btrfs", 0, 34, "/root/etc/passwd", []string{"/mnt/all/root/etc/passwd", "/etc/passwd"}},
		{"fedora-btrfs", 0, 34, "/home/ольга", []string{"/mnt/all/home/ольга", "/home/ольга"}},
		{"fedora-btrfs", 0, 34, "/root", []string{"/mnt/all/root", "/"}},
		{"fedora-btrfs", 0, 34, "/", []string{"/mnt/all"}},
		{"fedora-btrfs", 0, 34, "/rootless", []string{"/mnt/all/rootless"}},
		{"fedora-btrfs", 0, 34, "/root/home/x", []string{"/mnt/all/root/home/x"}}, // under the mount at /home
		{"fedora-btrfs", 0, 34, "/root/.snapshots/1/snapshot/etc", []string{
			"/mnt/all/root/.snapshots/1/snapshot/etc", "/.snapshots/1/etc"}},
		{"fedora-btrfs", 259, 1, "/EFI", []string{"/boot/efi/EFI"}},
		{"fedora-btrfs", 259, 2, "/efi/EFI", nil},
		{"fedora-btrfs", 9, 9, "/", nil},

		// bind mounts of a directory, of a single file, and of a directory to itself
		{"kubernetes-node", 259, 1, "/srv/data/app/f", []string{"/srv/data/app/f", "/var/lib/kubelet/pods/8c3f/volume-subpaths/data/app/0/f"}},
		{"kubernetes-node", 259, 1, "/etc/resolv.conf", []string{"/etc/resolv.conf", "/run/netns-etc/resolv.conf"}},
		{"kubernetes-node", 259, 1, "/var/lib/kubelet/x", []string{"/var/lib/kubelet/x"}},
		{"kubernetes-node", 0, 71, "/etc/shadow", []string{"/run/containerd/io.containerd.runtime.v2.task/k8s.io/9a/rootfs/etc/shadow"}},
		{"kubernetes-node", 0, 4, "net:[4026532281]", nil},
		{"kubernetes-node", 0, 27, "/init.scope", []string{"/sys/fs/cgroup/init.scope"}},
		{"kubernetes-node", 0, 27, "/../../init.scope", nil},
		{"kubernetes-node", 259, 1, "/srv/gone", []string{"/srv/gone"}},
		{"kubernetes-node", 259, 1, "/srv/gone//deleted", nil},

		// one mount over another, and over a directory above it
		{"stacked", 8, 2, "/f", nil},
		{"stacked", 8, 3, "/f", []string{"/data/again/f"}},
		{"stacked", 8, 1, "/etc/passwd", []string{"/etc/passwd"}},
		{"stacked", 8, 4, "/f", nil},
		{"stacked", 8, 5, "/one/f", nil},
		{"stacked", 8, 5, "/three/f", []string{"/opt/f"}},
		{"stacked", 8, 1, "/opt/f", nil},
		{"stacked", 8, 1, "/srv", nil},
		{"stacked", 0, 42, "/f", nil}, // over "/", which a process with that root never sees
		{"stacked", 8, 6, "/f", nil},

		{"hostile-names", 8, 2, "/with space/f", []string{"/a\ttab/with space/f", "/a space/f"}},
		{"hostile-names", 8, 3, "/", []string{"/new\nline"}},
		{"hostile-names", 8, 7, "/\xff", []string{"/é\x1b[31m\xff\u009b/\xff"}},

		{"chroot-to-directory", 8, 2, "/x/f", []string{"/data/f"}},
		{"chroot-to-directory", 8, 2, "/x/tmp/f", nil},
		{"initramfs", 0, 2, "/init", []string{"/init"}},
		{"initramfs", 0, 2, "/newroot/x", nil},
		{"pivot-root", 8, 1, "/var/lib/docker/containers/4f/resolv.conf", []string{
			"/.old/var/lib/docker/containers/4f/resolv.conf", "/etc/resolv.conf"}},

		// the same filesystem twice is told, different directories of one are not
		{"nfs", 0, 50, "/al/.ssh", []string{"/home/al/.ssh", "/bind/al/.ssh"}},
		{"nfs", 0, 51, "/f", nil},

		{"nfs", 8, 1, "", nil},
		{"nfs", 8, 1, "relative", nil},
		{"nfs", 8, 1, "/etc/", nil},
		{"nfs", 8, 1, "/etc//x", nil},
		{"nfs", 8, 1, "/etc/./x", nil},
		{"nfs", 8, 1, "/etc/..", nil},
		{"nfs", 8, 1, "/.../..x/x..", []string{"/.../..x/x.."}},
	} {
		if got := hosts(load(t, c.table), c.major, c.minor, c.inFS); !slices.Equal(got, c.want) {
			t.Errorf("%s: %d:%d %q is visible at %q, want %q", c.table, c.major, c.minor, c.inFS, got, c.want)
		}
	}
}

func TestAHostPathLeadsIntoTheMountOnTop(t *testing.T) {
	for _, c := range []struct {
		table, path string
		id          int // 0: none that is listed
		inFS        string
	}{
		{"fedora-btrfs", "/", 64, "/root"},
		{"fedora-btrfs", "/etc/passwd", 64, "/root/etc/passwd"},
		{"fedora-btrfs", "/home", 84, "/home"},
		{"fedora-btrfs", "/homes/x", 64, "/root/homes/x"},
		{"fedora-btrfs", "/mnt/all/root/x", 90, "/root/x"},
		{"fedora-btrfs", "/.snapshots/1/etc", 92, "/root/.snapshots/1/snapshot/etc"},
		{"fedora-btrfs", "/boot/efi/EFI", 88, "/EFI"},
		{"kubernetes-node", "/run/netns/cni-6b1d", 180, ""},
		{"kubernetes-node", "/sys/fs/cgroup/above/x", 181, ""},
		{"kubernetes-node", "/mnt/gone/x", 190, ""},
		{"kubernetes-node", "/var/lib/kubelet/pods/8c3f/volume-subpaths/data/app/0", 151, "/srv/data/app"},
		{"stacked", "/data", 33, "/"},
		{"stacked", "/data/inner/etc", 33, "/inner/etc"},
		{"stacked", "/data/again", 34, "/"},
		{"stacked", "/opt/x", 39, "/three/x"},
		{"stacked", "/srv/deep/dir/x", 36, "/deep/dir/x"},
		{"stacked", "/unreachable/x", 25, "/unreachable/x"},
		{"hostile-names", "/a space/f", 30, "/with space/f"},
		{"hostile-names", "/\\040literal", 35, "/"},
		{"hostile-names", "/back\\slash/x", 33, "/x"},
		{"hostile-names", "/#hash", 34, "/"},
		{"hostile-names", "/dash/x", 37, "/x"},
		{"chroot-to-directory", "/", 0, ""},
		{"chroot-to-directory", "/etc/passwd", 0, ""},
		{"chroot-to-directory", "/data/x", 72, "/x/x"},
		{"chroot-to-directory", "/data/tmp/x", 73, "/x"},
		{"pivot-root", "/.old/etc", 613, "/etc"},
		{"pivot-root", "/etc/resolv.conf", 822, "/var/lib/docker/containers/4f/resolv.conf"},
		{"nfs", "relative", 0, ""},
		{"nfs", "", 0, ""},
	} {
		m, inFS := load(t, c.table).Locate([]byte(c.path))
		if m == nil {
			m = &Mount{}
		}
		if m.ID != c.id || string(inFS) != c.inFS {
			t.Errorf("%s: %q leads to mount %d %q, want %d %q", c.table, c.path, m.ID, inFS, c.id, c.inFS)
		}
	}
}

func TestEveryPlaceThatAPathLeadsToIsVisibleThere(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.mountinfo")
	for _, file := range files {
		table, err := Read(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range table.Mounts() {
			for _, path := range []string{m.Point, filepath.Join(m.Point, "f"), filepath.Dir(m.Point)} {
				at, inFS := table.Locate([]byte(path))
				if inFS == nil || at.FSType == "nfs4" {
					continue
				}
				paths := table.HostPaths(nil, at.Dev, inFS)
				if !slices.ContainsFunc(paths, func(p Path) bool { return string(p.Host) == path && p.Mount == at }) {
					t.Errorf("%s: %q is mount %d %q, which is visible at %q only", file, path, at.ID, inFS, names(paths))
				}
			}
		}
	}
}

func TestFieldsAreReadAsTheKernelWritesThem(t *testing.T) {
	mounts := load(t, "hostile-names").Mounts()
	want := []Mount{
		{30, 25, unix.Mkdev(8, 2), "/with space", "/a space", "ext4", "/dev/sdb1", "rw"},
		{32, 25, unix.Mkdev(8, 3), "/", "/new\nline", "ext4", `\\server\my share`, "rw"},
		{35, 25, unix.Mkdev(8, 6), "/", `/\040literal`, "fuse.ssh#fs", "host:/x y", "rw"},
		{36, 25, unix.Mkdev(0, 50), "/", "/no-source", "tmpfs", "", "rw"},
		{37, 25, unix.Mkdev(0, 51), "/", "/dash", "tmpfs", "-", "rw"},
	}
	for _, w := range want {
		if !slices.Contains(mounts, w) {
			t.Errorf("%+v is not among %+v", w, mounts)
		}
	}
}

func TestALineOfAnyLengthIsRead(t *testing.T) {
	text := "25 1 0:70 / / rw - overlay overlay rw,lowerdir=" + strings.Repeat("/a/rather/long/layer:", 10_000) + "/\n" +
		"26 25 8:1 / /data rw - ext4 /dev/sda1 rw" // and the last without a newline
	table, err := Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if got := hosts(table, 8, 1, "/f"); !slices.Equal(got, []string{"/data/f"}) {
		t.Errorf("got %q", got)
	}
}

func TestALineThatTheKernelCannotHaveWrittenIsAnError(t *testing.T) {
	good := "25 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
	for _, bad := range []string{
		"\n",
		"26 25 8:1 / /x rw\n",
		"26 25 8:1 / /x rw shared:1 ext4 /dev/sda1 rw extra\n",
		"x 25 8:1 / /x rw - ext4 /dev/sda1 rw\n",
		"0 25 8:1 / /x rw - ext4 /dev/sda1 rw\n",
		"-26 25 8:1 / /x rw - ext4 /dev/sda1 rw\n",
		"26 -25 8:1 / /x rw - ext4 /dev/sda1 rw\n",
		"26 25 81 / /x rw - ext4 /dev/sda1 rw\n",
		"26 25 x:y / /x rw - ext4 /dev/sda1 rw\n",
		"26 25 8:-1 / /x rw - ext4 /dev/sda1 rw\n",
		"26 25 4096:0 / /x rw - ext4 /dev/sda1 rw\n",
		"26 25 0:1048576 / /x rw - ext4 /dev/sda1 rw\n",
		"26 25 8:1 / relative rw - ext4 /dev/sda1 rw\n",
		"26 25 8:1 / /x/../y rw - ext4 /dev/sda1 rw\n",
		"26 25 8:1 /  rw - ext4 /dev/sda1 rw\n",
		"26 25 8:1 / /x rw - ext4 \x1b[31m\n",
	} {
		_, err := Parse(strings.NewReader(good + bad))
		if err == nil || !strings.Contains(err.Error(), "line 2") || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q: error %v", bad, err)
		}
	}
}

func TestReadNamesTheFile(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "mountinfo")
	if err := os.WriteFile(bad, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{bad, bad + ".absent"} {
		if _, err := Read(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v", path, err)
		}
	}
}

// The kernel writes a table in pieces, between which mounts come and go.
func TestATableThatChangedWhileItWasReadIsUsable(t *testing.T) {
	table, err := Parse(strings.NewReader("25 1 8:1 / / ro - ext4 a ro\n" +
		"30 25 8:2 / /old rw - ext4 b rw\n" +
		"31 29 8:3 / /orphan rw - ext4 c rw\n" + // on a mount that is not listed
		"30 25 8:2 / /new rw - ext4 b rw\n" +
		"25 1 8:1 / / rw - ext4 a rw\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := hosts(table, 8, 2, "/f"); !slices.Equal(got, []string{"/new/f"}) {
		t.Errorf("the mount that moved is at %q", got)
	}
	for path, want := range map[string]string{"/old/f": "8:1 rw", "/orphan/f": "8:3 rw", "/": "8:1 rw"} {
		m, _ := table.Locate([]byte(path))
		if got := fmt.Sprintf("%d:%d %s", unix.Major(m.Dev), unix.Minor(m.Dev), m.Options); got != want {
			t.Errorf("%s leads to %s, want %s", path, got, want)
		}
	}
}

// large is a node with 5,000 mounts: half bind mounts of one filesystem.
func large(t testing.TB) *Table {
	var b bytes.Buffer
	b.WriteString("25 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n")
	for i := range 2500 {
		fmt.Fprintf(&b, "%d 25 8:1 /srv/volume%d /var/lib/kubelet/pods/%d/volume rw,relatime - ext4 /dev/sda1 rw\n", 2*i+100, i, i)
		fmt.Fprintf(&b, "%d 25 0:%d / /run/containers/%d/rootfs rw,relatime - overlay overlay rw,upperdir=/u%d\n", 2*i+101, i+100, i, i)
	}
	table, err := Parse(&b)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestLookingUpTakesNoMemoryInALargeTable(t *testing.T) {
	table := large(t)
	inFS, path := []byte("/srv/volume1999/a/b"), []byte("/run/containers/77/rootfs/etc/passwd")
	dst := table.HostPaths(nil, unix.Mkdev(8, 1), inFS)
	if len(dst) != 2 || string(dst[1].Host) != "/var/lib/kubelet/pods/1999/volume/a/b" {
		t.Fatalf("got %q", names(dst))
	}
	if n := testing.AllocsPerRun(100, func() { dst = table.HostPaths(dst[:0], unix.Mkdev(8, 1), inFS) }); n != 0 {
		t.Errorf("HostPaths: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { table.lead(path) }); n != 0 {
		t.Errorf("lead: %v allocations", n)
	}
}

func BenchmarkHostPaths(b *testing.B) {
	table := large(b)
	inFS := []byte("/srv/volume1999/a/b/c/d/e")
	var dst []Path
	b.ReportAllocs()
	for b.Loop() {
		dst = table.HostPaths(dst[:0], unix.Mkdev(8, 1), inFS)
	}
}

func BenchmarkParse(b *testing.B) {
	text, err := os.ReadFile("testdata/kubernetes-node.mountinfo")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := Parse(bytes.NewReader(text)); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.mountinfo")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, []byte("/data/x"))
	}
	f.Fuzz(func(t *testing.T, text, path []byte) {
		table, err := Parse(bytes.NewReader(text))
		if err != nil {
			return
		}
		table.Locate(path)
		for _, m := range table.Mounts() {
			for _, p := range table.HostPaths(nil, m.Dev, path) {
				if at, _ := table.Locate(p.Host); at != p.Mount {
					t.Errorf("%q is said to lead to mount %d", p.Host, p.Mount.ID)
				}
			}
		}
	})
}
