// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/falco-fim/fim/source"
)

func newReplay() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "replay FILE",
		Short: "Print events that `fim watch --format json` wrote",
		Long: `Print events that ` + "`fim watch --format json`" + ` wrote to FILE, or to standard input
when FILE is -. A line that is no event is skipped, counted, and shows up as a lost
event in its place; the exit code is then 1.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return replay(cmd, args[0], format) },
	}
	cmd.Flags().StringVar(&format, "format", "", "print `table`, json or none (default table on a terminal, json otherwise)")
	return cmd
}

func replay(cmd *cobra.Command, file, format string) (err error) {
	ctx, stop := untilSignal(cmd.Context())
	defer stop()
	out, err := newOutput(format, cmd.OutOrStdout())
	if err != nil {
		return err
	}
	s, err := openReplay(cmd, file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := pump(ctx, s, out); readerGone(err) {
		return nil
	} else if err != nil {
		return err
	}
	return malformed(s)
}

func openReplay(cmd *cobra.Command, file string) (*source.Stream, error) {
	c := source.Config{Log: logTo(cmd.ErrOrStderr())}
	if file == "-" {
		return source.Replay(c, io.NopCloser(cmd.InOrStdin()), "standard input"), nil
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return nil, fmt.Errorf("replay %s: %w", file, err)
	}
	return source.Open(c, "file://"+path)
}

// malformed is an error when lines were skipped: each was told where it stood.
func malformed(s *source.Stream) error {
	for _, c := range s.Stats() {
		if c.Name == source.Malformed && c.Value > 0 {
			return fmt.Errorf("%d lines were no events", c.Value)
		}
	}
	return nil
}
