// SPDX-License-Identifier: Apache-2.0

// Command kernel counts the instructions that a file operation takes on a stock
// Debian kernel: alone, with fim watching elsewhere, and with fim watching.
//
// The guest is emulated so that one instruction takes one nanosecond of its
// time. What it measures is therefore the same on every machine, however slow
// or busy, to about a percent; it is no time, and knows no caches.
//
// Standard output gets one line of JSON per measurement, standard error a table.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
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
	operations  []string
	depth       int
	runs, loops int
	fim         string
	backend     string
	timeout     time.Duration
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
	cmd := &cobra.Command{
		Use:           "kernel",
		Short:         "Count the instructions of file operations in a guest",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return s.run(cmd.Context()) },
	}
	f := cmd.Flags()
	f.StringVar(&s.kernel, "kernel", "6.12", "kernel to boot")
	f.StringSliceVar(&s.filesystems, "fs", []string{"tmpfs", "ext4"}, "filesystems: tmpfs, ext4, btrfs, xfs")
	f.StringSliceVar(&s.columns, "columns", []string{"none"}, "none (no fim), unwatched (fim watches elsewhere), watched")
	f.StringSliceVar(&s.operations, "ops", allOperations, "operations")
	f.IntVar(&s.depth, "depth", 10, "directories between the watched one and the files")
	f.IntVar(&s.runs, "runs", 9, "measured runs")
	f.IntVar(&s.loops, "loops", 1000, "operations in a run")
	f.StringVar(&s.fim, "fim", "build/fim", "fim's program, for every column but none")
	f.StringVar(&s.backend, "backend", "ebpf", "fim's backend")
	f.DurationVar(&s.timeout, "timeout", 15*time.Minute, "for everything")
	return cmd
}

// allOperations are those of test/bench/ops.
var allOperations = []string{"open_read", "open_write", "pwrite1", "read4k", "chmod", "rename", "mkdir_rmdir", "create_unlink"}

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
	return errors.Join(writeJSON(os.Stdout, rows), writeTable(os.Stderr, rows))
}

// fill makes the payload: the script, its settings and the programs.
func (s *settings) fill(ctx context.Context, dir string) error {
	build := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(dir, "ops"), "github.com/falco-fim/fim/test/bench/ops")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH=amd64")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build test/bench/ops: %w\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "run.sh"), guestScript, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "settings"), []byte(s.shell()), 0o644); err != nil {
		return err
	}
	if strings.Join(s.columns, "") == "none" {
		return nil
	}
	return copyFile(filepath.Join(dir, "fim"), s.fim)
}

// shell writes the settings as guest.sh reads them.
func (s *settings) shell() string {
	return fmt.Sprintf("FILESYSTEMS='%s'\nCOLUMNS='%s'\nOPERATIONS='%s'\nOPS='-depth %d -runs %d -loops %d'\nFIM='--backend %s'\n",
		strings.Join(s.filesystems, " "), strings.Join(s.columns, " "), strings.Join(s.operations, " "),
		s.depth, s.runs, s.loops, s.backend)
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

func writeJSON(w io.Writer, rows []row) error {
	e := json.NewEncoder(w)
	for _, r := range rows {
		if err := e.Encode(r); err != nil {
			return err
		}
	}
	return nil
}
