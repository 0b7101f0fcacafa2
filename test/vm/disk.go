// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

const (
	// outName is the folder of results in the payload, on both sides.
	outName = "out"
	// resultsSize bounds what a guest can hand back.
	resultsSize = 4 << 30
	// inodeBytes is a denser ratio than mke2fs's own, for trees of small files.
	inodeBytes = 4096
)

// makeExt4 makes a filesystem image at path with a copy of the tree src and at
// least spare bytes free. The file is sparse. No journal: nothing is kept that
// a crash could spoil.
func makeExt4(ctx context.Context, path, src string, spare int64) error {
	size, err := treeSize(src)
	if err != nil {
		return err
	}
	size += size/4 + 32<<20 + spare
	return run(command(ctx, "mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-m", "0",
		"-i", strconv.Itoa(inodeBytes), "-d", src, path, strconv.FormatInt(size>>10, 10)+"k"))
}

// treeSize is the room that a tree takes in blocks of 4 KiB.
func treeSize(dir string) (size int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		size += 4096
		if info.Mode().IsRegular() {
			size += (info.Size() + 4095) &^ 4095
		}
		return nil
	})
	return size, err
}

// makeBlank makes an empty sparse file.
func makeBlank(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Close())
}

// extractResults replaces the directory out by the tree "out" of the tar stream
// on the results disk. The stream comes from the guest and is not trusted:
// nothing outside of out is written, whatever it names.
func extractResults(disk, out string) error {
	f, err := os.Open(disk)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := errors.Join(os.RemoveAll(out), os.MkdirAll(out, 0o755)); err != nil {
		return err
	}
	root, err := os.OpenRoot(out)
	if err != nil {
		return err
	}
	defer root.Close()
	for t := tar.NewReader(f); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the results disk: %w", err)
		}
		if err := extractEntry(root, h, t); err != nil {
			return fmt.Errorf("take the result %q: %w", h.Name, err)
		}
	}
}

// extractEntry writes one file or folder of the stream. Results are data:
// links and device nodes are refused rather than silently left behind.
func extractEntry(root *os.Root, h *tar.Header, content io.Reader) error {
	name, err := filepath.Rel(outName, h.Name)
	if err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, 0o755)
	case tar.TypeReg:
		f, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, h.FileInfo().Mode().Perm()|0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, content)
		return errors.Join(err, f.Close())
	default:
		return errors.New("only files and folders come back")
	}
}
