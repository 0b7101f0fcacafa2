// SPDX-License-Identifier: Apache-2.0

package mount

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// These tests make real mounts and hold the table against what the kernel says
// of every path that is there.

// privately runs f on a thread that has a mount namespace of its own, with an
// empty tmpfs to work in. The thread ends with f, so f may change its root.
func privately(t *testing.T, f func(base string) error) {
	t.Helper()
	base := t.TempDir()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock
		done <- func() error {
			if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
				return fmt.Errorf("unshare: %w", err)
			}
			if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
				return fmt.Errorf("make mounts private: %w", err)
			}
			if err := tmpfs(base); err != nil {
				return err
			}
			return f(base)
		}()
	}()
	err := <-done
	if errors.Is(err, unix.EPERM) && os.Geteuid() != 0 {
		t.Skip("SKIPPED: needs root to make mounts")
	}
	if err != nil {
		t.Error(err)
	}
}

func tmpfs(at string) error {
	if err := os.MkdirAll(at, 0o755); err != nil {
		return err
	}
	return wrap("mount tmpfs", unix.Mount("fim-test", at, "tmpfs", 0, "size=1m"), at)
}

func bind(from, to string, flags uintptr) error {
	return wrap("bind "+from, unix.Mount(from, to, "", unix.MS_BIND|flags, ""), to)
}

func wrap(what string, err error, path string) error {
	if err != nil {
		return fmt.Errorf("%s: %w: %q", what, err, path)
	}
	return nil
}

// object is a file's identity.
type object struct{ dev, ino uint64 }

// maxDepth is how deep below the beginning the kernel is asked.
const maxDepth = 7

// seen is what the kernel says of all paths below some directory.
type seen struct {
	mount map[string]int
	dev   map[string]uint64
	ino   map[string]uint64
	paths map[object][]string
}

// look asks the kernel about dir and all below that is on a tmpfs.
func look(dir string) (*seen, error) {
	s := &seen{map[string]int{}, map[string]uint64{}, map[string]uint64{}, map[object][]string{}}
	return s, s.add(dir, 0)
}

func (s *seen) add(path string, depth int) error {
	var st unix.Statx_t
	flags := unix.AT_SYMLINK_NOFOLLOW | unix.AT_NO_AUTOMOUNT
	if err := unix.Statx(unix.AT_FDCWD, path, flags, unix.STATX_BASIC_STATS|unix.STATX_MNT_ID, &st); err != nil {
		return wrap("statx", err, path)
	}
	_, id, err := unix.NameToHandleAt(unix.AT_FDCWD, path, 0)
	if err != nil {
		return wrap("name_to_handle_at", err, path)
	}
	if st.Mask&unix.STATX_MNT_ID != 0 && st.Mnt_id != uint64(id) {
		return fmt.Errorf("the kernel says mount %d and %d of %q", id, st.Mnt_id, path)
	}
	o := object{unix.Mkdev(st.Dev_major, st.Dev_minor), st.Ino}
	s.mount[path], s.dev[path], s.ino[path] = id, o.dev, o.ino
	s.paths[o] = append(s.paths[o], path)
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || depth == maxDepth {
		return nil
	}
	entries, err := os.ReadDir(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // a deleted directory that is still mounted
	}
	for _, entry := range entries {
		var fs unix.Statfs_t
		below := filepath.Join(path, entry.Name())
		if err := unix.Statfs(below, &fs); err != nil || fs.Type != unix.TMPFS_MAGIC {
			continue
		}
		if err := s.add(below, depth+1); err != nil {
			return err
		}
	}
	return err
}

// check compares the table with the kernel below dir, where there is something.
func check(t *testing.T, dir string) error {
	n, err := compare(t, dir)
	if err == nil && n < 5 {
		err = fmt.Errorf("only %d paths below %s", n, dir)
	}
	return err
}

// compare compares the table with the kernel below dir and counts the paths.
func compare(t *testing.T, dir string) (int, error) {
	table, err := Read("/proc/thread-self/mountinfo")
	if err != nil {
		return 0, err
	}
	s, err := look(dir)
	if err != nil {
		return 0, err
	}
	for path, id := range s.mount {
		s.checkPath(t, table, path, id)
	}
	return len(s.mount), nil
}

func (s *seen) checkPath(t *testing.T, table *Table, path string, id int) {
	m, inFS := table.Locate([]byte(path))
	if m == nil || m.ID != id || m.Dev != s.dev[path] {
		t.Errorf("%q leads to %+v, the kernel says mount %d", path, m, id)
		return
	}
	if inFS == nil {
		return // the root was deleted
	}
	var got []string
	for _, p := range table.HostPaths(nil, m.Dev, inFS) {
		host := string(p.Host)
		if s.mount[host] == 0 {
			continue // deeper than was looked, or not below dir
		}
		if s.mount[host] != p.Mount.ID {
			t.Errorf("%q is said to lead to mount %d, the kernel says %d", host, p.Mount.ID, s.mount[host])
		}
		got = append(got, host)
	}
	want := s.paths[object{s.dev[path], s.ino[path]}]
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q is visible at %q, the kernel says %q", path, got, want)
	}
}

func TestTheKernelAgreesAboutMountsInAnyOrder(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("repeat with: go test ./mount -run '^%s$' -seed %d", t.Name(), seed)
	r := rand.New(rand.NewPCG(seed, 0))
	paths := 0
	for range 20 {
		privately(t, func(base string) error {
			n, err := shuffle(t, r, base)
			paths += n
			return err
		})
	}
	t.Logf("%d paths compared", paths)
	if paths < 1000 && !t.Failed() {
		t.Errorf("only %d paths were compared", paths)
	}
}

var seedFlag = flag.Uint64("seed", 0, "seed of the randomized test; 0 takes a new one")

// shuffle makes directories, files and mounts at random places, and compares.
func shuffle(t *testing.T, r *rand.Rand, base string) (paths int, err error) {
	if err := furnish(base); err != nil {
		return 0, err
	}
	for range 5 {
		for range 12 {
			s, err := look(base)
			if err != nil {
				return 0, err
			}
			if len(s.mount) < 400 {
				s.shuffleOnce(r, base)
			}
		}
		n, err := compare(t, base)
		if err != nil {
			return 0, err
		}
		paths += n
	}
	return paths, nil
}

// shuffleOnce does one thing. That many things the kernel refuses, such as a
// file mounted over a directory, is as well.
func (s *seen) shuffleOnce(r *rand.Rand, base string) {
	paths := make([]string, 0, len(s.mount))
	for path := range s.mount {
		paths = append(paths, path)
	}
	slices.Sort(paths) // for the same choice with the same seed
	names := []string{"a", "b", "a b", "new\nline", "tab\t#", `back\040`, "\xff\x1b"}
	from, to := paths[r.IntN(len(paths))], paths[r.IntN(len(paths))]
	fresh := filepath.Join(from, names[r.IntN(len(names))])
	if to == base {
		return
	}
	switch r.IntN(10) {
	case 0, 1, 2:
		_ = os.Mkdir(fresh, 0o755)
	case 3:
		_ = os.WriteFile(fresh, nil, 0o600)
	case 4:
		_ = unix.Mount("fim-test", to, "tmpfs", 0, "size=1m")
	case 5:
		_ = bind(from, to, 0)
	case 6:
		_ = bind(from, to, unix.MS_REC)
	case 7:
		_ = unix.Mount(from, to, "", unix.MS_MOVE, "")
	case 8:
		_ = unix.Unmount(to, unix.MNT_DETACH)
	case 9:
		if os.Remove(to) != nil {
			_ = os.Rename(to, fresh)
		}
	}
}

// furnish puts a bit of everything below a directory.
func furnish(base string) error {
	in := func(name string) string { return filepath.Join(base, name) }
	err := errors.Join(
		os.MkdirAll(in("data/sub/deep"), 0o755), os.MkdirAll(in("bound"), 0o755), os.MkdirAll(in("tree"), 0o755),
		os.WriteFile(in("data/file"), nil, 0o600), os.WriteFile(in("alone"), nil, 0o600), os.WriteFile(in("data/sub/f"), nil, 0o600),
	)
	return errors.Join(err,
		tmpfs(in("data/mounted")), os.WriteFile(in("data/mounted/inside"), nil, 0o600),
		bind(in("data"), in("bound"), 0), bind(in("data"), in("tree"), unix.MS_REC),
		bind(in("data/file"), in("alone"), 0), bind(in("data/sub"), in("bound/sub/deep"), 0),
		tmpfs(in("tree/mounted")), os.WriteFile(in("tree/mounted/on top"), nil, 0o600),
	)
}

func TestTheKernelAgreesAboutBindsAndStacks(t *testing.T) {
	privately(t, func(base string) error {
		return errors.Join(furnish(base), check(t, base))
	})
}

func TestTheKernelAgreesThatAMountOverTheRootIsNotSeen(t *testing.T) {
	privately(t, func(base string) error {
		return errors.Join(furnish(base), tmpfs("/"), check(t, base))
	})
}

func TestTheKernelAgreesInsideAChroot(t *testing.T) {
	privately(t, func(base string) error {
		jail := filepath.Join(base, "data")
		return errors.Join(
			furnish(base), furnish(jail), os.Mkdir(filepath.Join(jail, "proc"), 0o755), bind("/proc", filepath.Join(jail, "proc"), 0),
			unix.Chroot(jail), unix.Chdir("/"), check(t, "/bound"), check(t, "/tree"), checkUnlisted(t, "/alone/..", "/", "/sub/f"),
		)
	})
}

// checkUnlisted checks that nothing is claimed of paths on the mount that a
// chroot to an ordinary directory is on.
func checkUnlisted(t *testing.T, paths ...string) error {
	table, err := Read("/proc/thread-self/mountinfo")
	if err != nil {
		return err
	}
	for _, path := range paths {
		if m, inFS := table.Locate([]byte(path)); m != nil || inFS != nil {
			t.Errorf("%q leads to %+v %q", path, m, inFS)
		}
	}
	return nil
}

func TestTheKernelAgreesAfterSwitchingTheRoot(t *testing.T) {
	for name, change := range map[string]func(root string) error{
		"switch_root": func(root string) error {
			return errors.Join(unix.Chdir(root), unix.Mount(".", "/", "", unix.MS_MOVE, ""), unix.Chroot("."))
		},
		"pivot_root": func(root string) error {
			return errors.Join(os.Mkdir(root+"/.old", 0o755), unix.PivotRoot(root, root+"/.old"), unix.Chdir("/"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			privately(t, func(base string) error {
				return errors.Join(
					furnish(base), os.Mkdir(base+"/proc", 0o755), bind("/proc", base+"/proc", 0), change(base), check(t, "/"),
				)
			})
		})
	}
}
