// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func tarball(t *testing.T, h tar.Header, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := tar.NewWriter(f)
	h.Size, h.Mode = int64(len(content)), 0
	if err := errors.Join(w.WriteHeader(&h), writeAll(w, content), w.Close(), f.Truncate(1<<20)); err != nil {
		t.Fatal(err)
	}
	return path
}

func writeAll(w io.Writer, s string) error {
	_, err := io.WriteString(w, s)
	return err
}

func TestResultsStayInTheirFolder(t *testing.T) {
	for name, tc := range map[string]struct {
		h  tar.Header
		ok bool
	}{
		"file":     {tar.Header{Name: "out/f", Typeflag: tar.TypeReg}, true},
		"dots":     {tar.Header{Name: "out/../../f", Typeflag: tar.TypeReg}, false},
		"beside":   {tar.Header{Name: "f", Typeflag: tar.TypeReg}, false},
		"absolute": {tar.Header{Name: "/tmp/f", Typeflag: tar.TypeReg}, false},
		"symlink":  {tar.Header{Name: "out/l", Linkname: "/etc", Typeflag: tar.TypeSymlink}, false},
		"device":   {tar.Header{Name: "out/d", Typeflag: tar.TypeBlock}, false},
	} {
		t.Run(name, func(t *testing.T) {
			content := ""
			if tc.h.Typeflag == tar.TypeReg {
				content = "content"
			}
			dir := t.TempDir()
			err := extractResults(tarball(t, tc.h, content), filepath.Join(dir, "out"))
			if (err == nil) != tc.ok {
				t.Errorf("error %v, want one: %v", err, !tc.ok)
			}
			if left, _ := filepath.Glob(dir + "/*"); len(left) != 1 {
				t.Errorf("beside the folder: %q", left)
			}
		})
	}
}

func TestResultsReplaceThoseOfTheLastRun(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	for _, name := range []string{"first", "second"} {
		if err := extractResults(tarball(t, tar.Header{Name: "out/" + name, Typeflag: tar.TypeReg}, name), out); err != nil {
			t.Fatal(err)
		}
	}
	if left, _ := filepath.Glob(out + "/*"); len(left) != 1 || filepath.Base(left[0]) != "second" {
		t.Errorf("%q", left)
	}
}
