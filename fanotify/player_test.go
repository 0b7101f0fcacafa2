// SPDX-License-Identifier: Apache-2.0

package fanotify

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// player is another process that does what it is told, one line each: a verb and
// its arguments in hexadecimal. The group leaves out what its own process does.
type player struct {
	t   testing.TB
	in  io.Writer
	out *bufio.Reader
	pid int
}

func newPlayer(t testing.TB, dir string) *player {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleEnv+"="+rolePlayer)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	return &player{t: t, in: in, out: bufio.NewReader(out), pid: cmd.Process.Pid}
}

// do does each "verb argument…", split at blanks.
func (a *player) do(lines ...string) {
	a.t.Helper()
	for _, line := range lines {
		a.call(strings.Fields(line)...)
	}
}

// call does one thing, whose arguments may hold any byte.
func (a *player) call(words ...string) {
	a.t.Helper()
	if err := a.try(words...); err != nil {
		a.t.Fatalf("%.200q: %v", words, err)
	}
}

func (a *player) try(words ...string) error {
	line := words[0]
	for _, arg := range words[1:] {
		line += " " + hex.EncodeToString([]byte(arg))
	}
	if _, err := fmt.Fprintln(a.in, line); err != nil {
		return err
	}
	answer, err := a.out.ReadString('\n')
	if err != nil {
		return err
	}
	if answer = strings.TrimSuffix(answer, "\n"); answer != "" {
		return errors.New(answer)
	}
	return nil
}

// play is the other side of a player.
func play() {
	files := map[string]int{}
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			os.Exit(0)
		}
		words := strings.Fields(line)
		args := make([]string, 4)
		for i, word := range words[1:] {
			arg, _ := hex.DecodeString(word)
			args[i] = string(arg)
		}
		if err := verbs[words[0]](files, args); err != nil {
			fmt.Println(err)
		} else {
			fmt.Println()
		}
	}
}

// verbs take the open files by name, and their arguments.
var verbs map[string]func(files map[string]int, args []string) error

func init() {
	verbs = map[string]func(files map[string]int, args []string) error{
		"mkdir":  func(_ map[string]int, a []string) error { return unix.Mkdir(a[0], 0o755) },
		"rmdir":  func(_ map[string]int, a []string) error { return unix.Rmdir(a[0]) },
		"unlink": func(_ map[string]int, a []string) error { return unix.Unlink(a[0]) },
		"rename": func(_ map[string]int, a []string) error { return unix.Rename(a[0], a[1]) },
		"exchange": func(_ map[string]int, a []string) error {
			return unix.Renameat2(unix.AT_FDCWD, a[0], unix.AT_FDCWD, a[1], unix.RENAME_EXCHANGE)
		},
		"link":     func(_ map[string]int, a []string) error { return unix.Link(a[0], a[1]) },
		"symlink":  func(_ map[string]int, a []string) error { return unix.Symlink(a[0], a[1]) },
		"chmod":    func(_ map[string]int, a []string) error { return unix.Chmod(a[0], 0o700) },
		"chown":    func(_ map[string]int, a []string) error { return unix.Lchown(a[0], 1, 1) },
		"setxattr": func(_ map[string]int, a []string) error { return unix.Setxattr(a[0], "trusted.x", []byte("v"), 0) },
		"truncate": func(_ map[string]int, a []string) error { return unix.Truncate(a[0], 3) },
		"fifo":     func(_ map[string]int, a []string) error { return unix.Mkfifo(a[0], 0o600) },
		"chdir":    func(_ map[string]int, a []string) error { return unix.Chdir(a[0]) },
		"device": func(_ map[string]int, a []string) error {
			return unix.Mknod(a[0], unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3)))
		},
		"socket": func(_ map[string]int, a []string) error {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			return unix.Bind(fd, &unix.SockaddrUnix{Name: a[0]})
		},
		"write": func(_ map[string]int, a []string) error { // create or append, and close
			fd, err := unix.Open(a[0], unix.O_WRONLY|unix.O_CREAT|unix.O_APPEND, 0o644)
			if err != nil {
				return err
			}
			_, err = unix.Write(fd, []byte("x"))
			return errors.Join(err, unix.Close(fd))
		},
		"touch": func(_ map[string]int, a []string) error { // create without writing
			fd, err := unix.Open(a[0], unix.O_WRONLY|unix.O_CREAT, 0o644)
			if err != nil {
				return err
			}
			return unix.Close(fd)
		},
		"flood": func(_ map[string]int, a []string) error { // files made, written to and closed
			n, err := strconv.Atoi(a[1])
			for i := 0; i < n && err == nil; i++ {
				err = verbs["write"](nil, []string{a[0] + strconv.Itoa(i)})
			}
			return err
		},
		"read": func(_ map[string]int, a []string) error {
			fd, err := unix.Open(a[0], unix.O_RDONLY, 0)
			if err != nil {
				return err
			}
			return unix.Close(fd)
		},
		"open": func(files map[string]int, a []string) error { return open(files, a[0], a[1], unix.O_RDWR|unix.O_CREAT) },
		"tmpfile": func(files map[string]int, a []string) error {
			return open(files, a[0], a[1], unix.O_RDWR|unix.O_TMPFILE)
		},
		"publish": func(files map[string]int, a []string) error {
			return unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", files[a[0]]), unix.AT_FDCWD, a[1], unix.AT_SYMLINK_FOLLOW)
		},
		"put": func(files map[string]int, a []string) error {
			_, err := unix.Write(files[a[0]], []byte("x"))
			return err
		},
		"fchmod": func(files map[string]int, a []string) error { return unix.Fchmod(files[a[0]], 0o640) },
		"close":  func(files map[string]int, a []string) error { return unix.Close(files[a[0]]) },
		"mount":  func(_ map[string]int, a []string) error { return unix.Mount(a[0], a[0], "tmpfs", 0, "") },
		"bind":   func(_ map[string]int, a []string) error { return unix.Mount(a[0], a[1], "", unix.MS_BIND, "") },
		"umount": func(_ map[string]int, a []string) error { return unix.Unmount(a[0], unix.MNT_DETACH) },
		// BTRFS_IOC_SUBVOL_CREATE of include/uapi/linux/btrfs.h: struct
		// btrfs_ioctl_vol_args is a descriptor and a name of 4,088 bytes.
		"btrfs": func(_ map[string]int, a []string) error {
			dir, err := unix.Open(a[0], unix.O_RDONLY|unix.O_DIRECTORY, 0)
			if err != nil {
				return err
			}
			defer unix.Close(dir)
			var args [4096]byte
			copy(args[8:], a[1])
			if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(dir), 0x5000940e, uintptr(unsafe.Pointer(&args))); errno != 0 {
				return errno
			}
			return nil
		},
		"storm":  storm,
		"rmtree": func(_ map[string]int, a []string) error { return os.RemoveAll(a[0]) },
		"mktree": func(_ map[string]int, a []string) error { return os.MkdirAll(a[0], 0o755) },
	}
}

func open(files map[string]int, name, path string, flags int) error {
	fd, err := unix.Open(path, flags, 0o644)
	files[name] = fd
	return err
}
