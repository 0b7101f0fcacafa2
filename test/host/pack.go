// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bytes"
	"debug/elf"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// packedAt names, in the environment, a directory that [Pack] filled: tests then
// take fim-host and the plugin from there and build nothing.
const packedAt = "FIM_TEST_PACKED"

// The names in such a directory.
const (
	packedProgram = "fim-host"
	packedPlugin  = "libfim.so"
)

// packedHost begins a command line of the fim-host in dir.
func packedHost(dir string) []string {
	lib := filepath.Join(dir, "lib")
	return []string{filepath.Join(lib, "ld.so"), "--library-path", lib, filepath.Join(dir, packedProgram)}
}

// Pack puts what a guest needs into dir: the plugin, and fim-host as
// [PackProgram] does. A test binary that uses this package runs there as
// "FIM_TEST_PACKED=$PWD ./x.test".
func Pack(t testing.TB, dir string) {
	t.Helper()
	CopyFile(t, Plugin(t), filepath.Join(dir, packedPlugin))
	PackProgram(t, Binary(t), dir)
}

// PackProgram copies a program of this machine to dir, its libraries to dir/lib
// and its loader to dir/lib/ld.so, for a guest of another release:
//
//	dir/lib/ld.so --library-path dir/lib dir/NAME
func PackProgram(t testing.TB, program, dir string) {
	t.Helper()
	lib := filepath.Join(dir, "lib")
	if err := os.MkdirAll(lib, 0o755); err != nil {
		t.Fatal(err)
	}
	loader := interpreter(t, program)
	list, err := exec.Command(loader, "--list", program).Output() // NAME => PATH (ADDRESS)
	if err != nil {
		t.Fatalf("list the libraries of %s: %v", program, err)
	}
	for line := range strings.Lines(string(list)) {
		if _, path, ok := strings.Cut(line, " => "); ok {
			path, _, _ = strings.Cut(path, " (")
			CopyFile(t, path, filepath.Join(lib, filepath.Base(path)))
		}
	}
	CopyFile(t, loader, filepath.Join(lib, "ld.so"))
	CopyFile(t, program, filepath.Join(dir, filepath.Base(program)))
}

// interpreter returns the loader that a program names.
func interpreter(t testing.TB, program string) string {
	t.Helper()
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		path, err := io.ReadAll(p.Open())
		if err != nil {
			t.Fatal(err)
		}
		return string(bytes.TrimRight(path, "\x00"))
	}
	t.Fatalf("%s names no loader", program)
	return ""
}

// CopyFile copies a file and makes the copy executable.
func CopyFile(t testing.TB, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}
