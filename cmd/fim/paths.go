// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/source"
)

// absolutePatterns turns the PATHs of the command line into the patterns of a
// configuration, which are absolute on the host whose root is mounted at root.
// A PATH may be relative to the current directory where that is the host's too.
// What exists under just this name is that file, even if the name could be read
// as a pattern: a shell expands its own wildcards to such names.
func absolutePatterns(root string, args []string) ([]string, error) {
	list := make([]string, len(args))
	for i, arg := range args {
		glob := arg
		if _, err := os.Lstat(onHost(root, arg)); err == nil {
			glob = source.EscapeGlob(arg)
		}
		if !filepath.IsAbs(arg) {
			cwd, err := directory(root)
			if err != nil || arg == "" {
				return nil, usageError{fmt.Errorf("PATH %q: %w", arg, cmp.Or(err, errEmpty))}
			}
			glob = filepath.Clean(source.EscapeGlob(cwd) + "/" + glob)
		}
		list[i] = glob
	}
	return list, nil
}

var (
	errEmpty    = errors.New("an empty PATH names nothing")
	errRelative = errors.New("with another host root a PATH must be absolute, as it is on the host")
)

// directory is the current directory without symbolic links, so that ".." may
// be taken back by name.
func directory(root string) (string, error) {
	if root != "/" {
		return "", errRelative
	}
	return unix.Getwd()
}

// onHost is where a PATH of the host is found from here.
func onHost(root, arg string) string {
	if filepath.IsAbs(arg) {
		return filepath.Join(root, arg)
	}
	return arg
}

// tellMissing says which PATHs do not exist yet. That is allowed: they are
// watched from the moment they appear. What holds a wildcard names no one file.
func tellMissing(w io.Writer, root string, args []string) {
	for _, arg := range args {
		_, err := os.Lstat(onHost(root, arg))
		if errors.Is(err, fs.ErrNotExist) && !strings.ContainsAny(arg, `*?[{\`) {
			fmt.Fprintf(w, "fim: %s does not exist yet: it is watched from the moment it appears\n", event.Escape(nil, []byte(arg)))
		}
	}
}

// few lists the first of many names.
func few(names []string) string {
	const most = 3
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
