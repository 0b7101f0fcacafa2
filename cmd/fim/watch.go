// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/source"
)

// watchFlags are the flags of `fim watch`.
type watchFlags struct {
	configFlags
	format string
	output string
}

func newWatch() *cobra.Command {
	var f watchFlags
	cmd := &cobra.Command{
		Use:   "watch PATH…",
		Short: "Show what happens to files, as it happens",
		Long: `Show what happens to the files at PATH and below, as it happens, until SIGINT
or SIGTERM. PATH may be a pattern in quotes ('/home/*/.ssh'), may be relative, and
need not exist yet. A name that exists is taken as it stands.

Events go to standard output, everything else to standard error, where a line
that begins with "fim: watching" says that from now on nothing is missed.`,
		Example: `  fim watch /etc /usr/bin
  fim watch --event create,rename --exclude '/tmp/**/*.swp' /tmp
  fim watch --format json --output events.jsonl /etc`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	f.register(cmd)
	cmd.Flags().StringVar(&f.format, "format", "", "print `table`, json or none (default table on a terminal, json otherwise)")
	cmd.Flags().StringVar(&f.output, "output", "", "append events to `FILE` instead of printing them")
	return cmd
}

func (f *watchFlags) run(cmd *cobra.Command, args []string) (err error) {
	if len(args) == 0 && f.file == "" {
		return usageError{errors.New("nothing to watch: name a PATH, or a configuration with --config")}
	}
	c, err := f.config(cmd, args)
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(cmd.Context())
	defer stop()
	out, done, err := f.open(cmd.OutOrStdout())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	s, err := source.Open(c, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	tellMissing(cmd.ErrOrStderr(), c.HostRoot, args)
	tellReady(cmd.ErrOrStderr(), c, s)
	err = pump(ctx, s, out)
	if readerGone(err) {
		return nil
	}
	summarize(cmd.ErrOrStderr(), s)
	return err
}

// open returns where events are printed, and what closes it. It comes before
// the stream, which warns when the file is itself watched.
func (f *watchFlags) open(stdout io.Writer) (*output, func() error, error) {
	if f.output == "" {
		out, err := newOutput(f.format, stdout)
		return out, func() error { return nil }, err
	}
	file, err := openOutput(f.output)
	if err != nil {
		return nil, nil, err
	}
	out, err := newOutput(f.format, file)
	if err != nil {
		file.Close()
	}
	return out, file.Close, err
}

// tellReady says, for people and for scripts that wait for it, that events
// arrive from now on.
func tellReady(w io.Writer, c source.Config, s *source.Stream) {
	var why []string
	for _, r := range s.Refused() {
		why = append(why, r.String())
	}
	line := fmt.Sprintf("fim: watching %s with %s", few(c.Watch), s.Backend())
	if s.Backend() == "" { // on_failure: idle
		line = "fim: waiting for a backend to watch " + few(c.Watch)
	}
	if len(why) > 0 {
		line += " (" + strings.Join(why, "; ") + ")"
	}
	fmt.Fprintf(w, "%s\n", event.Escape(nil, []byte(line)))
}

// summarize prints the counters that are not zero; the first two always.
func summarize(w io.Writer, s *source.Stream) {
	for i, c := range s.Stats() {
		if i < 2 || c.Value > 0 {
			fmt.Fprintf(w, "%10d  %-18s %s\n", c.Value, c.Name, c.Help)
		}
	}
}
