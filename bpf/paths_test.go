// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
)

// A process in a mount namespace of its own, with the watched directory bound
// elsewhere, and one in a chroot: host path and view path are both right.
func TestHostPathAndViewPathDiffer(t *testing.T) {
	root := t.TempDir()
	dir, jail := makeDir(t, root, "watched/sub"), makeDir(t, root, "jail")
	inJail := makeDir(t, jail, "data")
	b := openBackend(t, event.Ops(), filepath.Join(root, "watched"))
	host := func(name string) string { return filepath.Join(dir, name) }
	bind := step("bind", dir, inJail)
	for _, row := range []struct {
		name  string
		steps []string
		want  []string // operation, host path, view path
	}{
		{"bound elsewhere", []string{bind, step("create", filepath.Join(inJail, "a"), "x")},
			[]string{"create a " + inJail + "/a", "modify a " + inJail + "/a", "close a " + inJail + "/a"}},
		{"in a chroot", []string{bind, step("chroot", jail), step("mkdir", "/data/b"), step("rename", "/data/b", "/data/c"),
			step("symlink", "x", "/data/s"), step("link", "/data/s", "/data/l"), step("unlink", "/data/s"), step("rmdir", "/data/c")},
			[]string{"mkdir b /data/b", "rename c /data/c", "symlink s /data/s", "link l /data/l", "unlink s /data/s", "rmdir c /data/c"}},
		{"a chroot inside the watched directory", []string{step("chroot", dir), step("mknod", "/n")}, []string{"create n /n"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			end := filepath.Join(root, "watched", "end")
			if out, err := actor("steps", row.steps...).Output(); err != nil {
				t.Fatalf("the actor failed: %v %s", err, out)
			}
			var got []string
			for _, e := range observe(t, b, end) {
				got = append(got, fmt.Sprintf("%s %s %s", e.Op, strings.TrimPrefix(string(e.File.HostPath), host("")+"/"), e.File.ViewPath))
			}
			os.Remove(end)
			equal(t, got, row.want)
		})
	}
}

// nest makes directories inside each other, deeper than a path can name, and
// then works in the deepest.
func nest(args []string) error {
	depth, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	if err := unix.Chdir(args[0]); err != nil {
		return err
	}
	for range depth {
		if err := unix.Mkdir("n", 0o755); err != nil {
			return err
		}
		if err := unix.Chdir("n"); err != nil {
			return err
		}
	}
	// A rename of a directory into and out of the watched one voids all tags.
	for _, s := range args[2:] {
		if err := act(strings.Split(s, "\x1f")); err != nil {
			return fmt.Errorf("%q: %w", s, err)
		}
	}
	return nil
}

func init() { actors["nest"] = nest }

// However deep a directory lies, it stays watched after every tag was voided;
// a path too long to send is cut and says so.
func TestDepthDoesNotHide(t *testing.T) {
	for _, depth := range []int{1, 10, 65, 1900, 2040, 2100} {
		t.Run(strconv.Itoa(depth), func(t *testing.T) {
			root := t.TempDir()
			dir, other := makeDir(t, root, "watched"), makeDir(t, root, "other/d")
			b := openBackend(t, []event.Op{event.OpCreate, event.OpMkdir}, dir)
			for i := range 2 {
				os.Mkdir(filepath.Join(dir, "e"), 0o755)
				cmd := actor("nest", filepath.Join(dir), strconv.Itoa(depth), step("rename", other, filepath.Join(dir, "m")),
					step("rename", filepath.Join(dir, "m"), other), step("mknod", "deep"), step("mkdir", filepath.Join(dir, "end")))
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				all := drain(t, b, filepath.Join(dir, "end"))
				if err := cmd.Wait(); err != nil {
					t.Fatal(err)
				}
				last := all[len(all)-1]
				if len(all) != depth+1 || last.Op != event.OpCreate {
					t.Fatalf("round %d: %d events, the last is %v", i, len(all), last.Op)
				}
				want := dir + strings.Repeat("/n", depth) + "/deep"
				if cut := len(want) > 3800; !cut && string(last.File.HostPath) != want || cut && !last.Truncated && string(last.File.HostPath) != want {
					t.Errorf("path of %d bytes, truncated %v; it is %d bytes long", len(last.File.HostPath), last.Truncated, len(want))
				}
				if err := os.RemoveAll(filepath.Join(dir, "n")); err != nil {
					t.Fatal(err)
				}
				os.Remove(filepath.Join(dir, "end"))
			}
		})
	}
}
