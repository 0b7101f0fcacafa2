// SPDX-License-Identifier: Apache-2.0

// Command kernel counts the instructions that a file operation takes on a stock
// Debian kernel: alone, with fim watching elsewhere, and with fim watching.
//
// The guest is emulated so that one instruction takes one nanosecond of its
// time. What it measures is therefore the same on every machine, however slow
// or busy, to about a percent; it is no time, and knows no caches.
//
// The rows go to a file as JSON; standard error gets a table that says what each
// column adds, beside what it may add.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	_ "embed"

	"github.com/spf13/cobra"

	"github.com/falco-fim/fim/test/vm"
)

//go:embed guest.sh
var guestScript []byte

// settings are what the command line says.
type settings struct {
	kernel      string
	filesystems []string
	columns     []string
	operations  []operation
	rounds      int
	loops       int
	pause       time.Duration
	count       bool
	fim         string
	out         string
	timeout     time.Duration
}

// operation is what is measured, and where: so many directories deep.
type operation struct {
	name  string
	depth int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	var s settings
	var operations []string
	cmd := &cobra.Command{
		Use:           "kernel",
		Short:         "Count the instructions of file operations in a guest",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if s.operations, err = parseOperations(operations); err != nil {
				return err
			}
			return s.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.kernel, "kernel", "6.12", "kernel to boot")
	f.StringSliceVar(&s.filesystems, "fs", []string{"tmpfs"}, "filesystems: tmpfs, ext4, btrfs, xfs")
	f.StringSliceVar(&s.columns, "columns", defaultColumns, "what is attached: "+strings.Join(allColumns, ", "))
	f.StringSliceVar(&operations, "ops", defaultOperations, "operations, OP or OP:DEPTH (10)")
	f.IntVar(&s.rounds, "rounds", 9, "measured rounds")
	f.IntVar(&s.loops, "loops", 500, "operations in a round")
	f.DurationVar(&s.pause, "pause", time.Second, "guest time for fim's reader to catch up after a round")
	f.BoolVar(&s.count, "count", true, "count the runs of programs, in a second pass")
	f.StringVar(&s.fim, "fim", "build/fim", "fim's program")
	f.StringVar(&s.out, "out", "build/bench-kernel.json", "file for the rows, as JSON")
	f.DurationVar(&s.timeout, "timeout", 20*time.Minute, "for everything")
	return cmd
}

// allColumns are what may be attached while an operation is measured: nothing,
// programs that return at once where fim's would be, fim watching elsewhere,
// fim watching, but for who acts, and fim watching.
var (
	defaultColumns = []string{"none", "empty", "unwatched", "nobody", "watched"}
	allColumns     = append(slices.Clone(defaultColumns), "fanotify_unwatched", "fanotify_watched")
)

// defaultOperations are those of test/bench/ops; a path's length matters most
// where a rename has made it unknown.
var defaultOperations = []string{
	"open_read", "open_write", "pwrite1", "read4k", "rename", "mkdir_rmdir", "create_unlink", "chmod",
	"open_after_rename", "open_after_rename:60",
}

// events are what fim watches for: everything that the operations do.
const events = "open,create,modify,close,truncate,mmap,attrib,rename,link,symlink,unlink,mkdir,rmdir,mknod"

// parseOperations reads OP or OP:DEPTH.
func parseOperations(list []string) ([]operation, error) {
	var all []operation
	for _, text := range list {
		o := operation{depth: 10}
		name, depth, given := strings.Cut(text, ":")
		o.name = name
		if given {
			n, err := strconv.Atoi(depth)
			if err != nil || n < 1 {
				return nil, fmt.Errorf("--ops %s: %q is no number of directories", text, depth)
			}
			o.depth = n
		}
		all = append(all, o)
	}
	return all, nil
}

func (s *settings) run(ctx context.Context) error {
	payload, err := os.MkdirTemp("", "fim-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(payload)
	if err := s.fill(ctx, payload); err != nil {
		return err
	}
	dir, err := vm.DefaultDir()
	if err != nil {
		return err
	}
	cache := &vm.Cache{Dir: dir, Log: os.Stderr}
	r, err := cache.Run(ctx, vm.Options{
		Kernel: s.kernel, Payload: payload, Console: os.Stderr, ICount: true, Timeout: s.timeout,
	})
	if err != nil {
		return err
	}
	if r.ExitCode != 0 {
		return fmt.Errorf("the guest's script ended with %d; see what it printed above", r.ExitCode)
	}
	rows, err := s.read(filepath.Join(payload, "out"), r.Image.Release)
	if err != nil {
		return err
	}
	return s.report(rows)
}

// report writes what was measured, also where it is flawed, which is an error.
func (s *settings) report(rows []row) error {
	errs := []error{writeJSON(s.out, rows), writeTable(os.Stderr, rows)}
	for i := range rows {
		errs = append(errs, rows[i].flaws(s.count))
	}
	return errors.Join(errs...)
}

// fill makes the payload: the script, its settings and the programs.
func (s *settings) fill(ctx context.Context, dir string) error {
	for program, args := range map[string][]string{
		"ops": {"./test/bench/ops"}, "empty": {"./test/bench/empty"}, "fim-nobody": {"-tags=fim_nobody", "./cmd/fim"},
	} {
		build := exec.CommandContext(ctx, "go", append([]string{"build", "-trimpath", "-o", filepath.Join(dir, program)}, args...)...)
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH=amd64")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", build, err, out)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "run.sh"), guestScript, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "settings"), []byte(s.shell()), 0o644); err != nil {
		return err
	}
	if slices.Equal(s.columns, []string{"none"}) {
		return nil
	}
	return copyFile(filepath.Join(dir, "fim"), s.fim)
}

// shell writes the settings as guest.sh reads them.
func (s *settings) shell() string {
	var operations []string
	for _, o := range s.operations {
		operations = append(operations, fmt.Sprintf("%s:%d", o.name, o.depth))
	}
	return fmt.Sprintf("FILESYSTEMS='%s'\nCOLUMNS='%s'\nOPERATIONS='%s'\nOPS='-rounds %d -loops %d -pause %s -count=%t'\nEVENTS='%s'\n",
		strings.Join(s.filesystems, " "), strings.Join(s.columns, " "), strings.Join(operations, " "),
		s.rounds, s.loops, s.pause, s.count, events)
}

func copyFile(to, from string) error {
	src, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("the columns other than none need fim itself (make, or --fim): %w", err)
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}
