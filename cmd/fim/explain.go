// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/source"
)

// errNotWatched makes the exit code of `fim explain`; it is never printed.
var errNotWatched = errors.New("not watched")

func newExplain() *cobra.Command {
	var f configFlags
	var watch []string
	cmd := &cobra.Command{
		Use:   "explain PATH",
		Short: "Tell whether a path is watched, and why",
		Long: `Tell whether a change of PATH would be reported: by which pattern, or which exclude
keeps it out, through which symbolic link or mount, its path and identity on the host,
and what the backend that would be taken can see on its filesystem.

The patterns are those of --watch or --config, else the default watch list. PATH is
taken as it stands and need not exist. The exit code is 0 when it is watched, 1 when
it is not or when that cannot be told.`,
		Example: `  fim explain /etc/passwd
  fim explain --config fim.yaml /usr/bin/sudo
  fim explain --watch '/home/*/.ssh' /home/ann/.ssh/authorized_keys`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.config(cmd, watch)
			if err != nil {
				return err
			}
			return explain(cmd.OutOrStdout(), c, args[0])
		},
	}
	f.register(cmd)
	cmd.Flags().StringArrayVar(&watch, "watch", nil, "watch this `pattern`, as fim watch would; may be repeated")
	return cmd
}

// explain prints the answer for one PATH.
func explain(w io.Writer, c source.Config, arg string) error {
	name, err := absolutePath(c.HostRoot, arg)
	if err != nil {
		return err
	}
	x, err := source.Explain(c, name)
	if err != nil {
		return err
	}
	for _, f := range explanation(x) {
		printFact(w, f)
	}
	if !x.Watched {
		return errNotWatched
	}
	return nil
}

// absolutePath is where PATH is on the host.
func absolutePath(root, arg string) (string, error) {
	if arg == "" {
		return "", usageError{errEmpty}
	}
	if filepath.IsAbs(arg) {
		return arg, nil
	}
	cwd, err := directory(root)
	if err != nil {
		return "", usageError{fmt.Errorf("PATH %q: %w", arg, err)}
	}
	return filepath.Join(cwd, arg), nil
}

// explanation is the answer, a fact a line.
func explanation(x *source.Explanation) []fact {
	list := []fact{{"path", x.Path}, {"watched", verdictOf(x)}}
	if x.Host != x.Path {
		list = append(list, fact{"host path", x.Host + " (symbolic links resolved)"})
	} else {
		list = append(list, fact{"host path", x.Host})
	}
	for _, other := range x.Others {
		list = append(list, fact{"  also visible as", other})
	}
	list = append(list, fact{"identity", identity(x)}, fact{"filesystem", orUnknown(x.Mount)})
	return append(list, fact{"backend", strings.TrimPrefix(x.Backend+": "+x.Can, ": ")})
}

func verdictOf(x *source.Explanation) string {
	switch {
	case x.Watched && x.Resolved != "":
		return fmt.Sprintf("yes, by the pattern %s, which a symbolic link makes %s%s", x.Pattern, x.Resolved, through(x))
	case x.Watched:
		return fmt.Sprintf("yes, by the pattern %s%s", x.Pattern, through(x))
	case x.Exclude != "":
		return fmt.Sprintf("no: the exclude %s wins over the pattern %s%s", x.Exclude, x.Pattern, through(x))
	}
	return "no: no pattern matches"
}

// through names the mount that makes the pattern match, if it takes one.
func through(x *source.Explanation) string {
	if x.Through == x.Host {
		return ""
	}
	return ", since a mount shows it as " + x.Through
}

func identity(x *source.Explanation) string {
	if !x.Exists {
		return "none of that name now"
	}
	text := fmt.Sprintf("%s, inode %d, device %d:%d", x.Type, x.Inode, unix.Major(x.Dev), unix.Minor(x.Dev))
	if x.Target != "" {
		text += ", leads to " + x.Target + " (explain that as well)"
	}
	if x.Links > 1 && x.Type != event.TypeDirectory {
		text += fmt.Sprintf(", one of %d names (hard links)", x.Links)
	}
	return text
}

func orUnknown(text string) string {
	if text == "" {
		return "not in the host's mount table"
	}
	return text
}
