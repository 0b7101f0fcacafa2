// SPDX-License-Identifier: Apache-2.0

// Command fim shows what happens to watched files, without Falco: live, from a
// recorded file, or just whether it could. What it prints for programs is what
// the plugin hands to Falco.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/falco-fim/fim/event"
)

// version is set by the build.
var version = "devel"

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// usageError is an error in how the command was called.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run executes one command line and returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	started := false
	root := newRoot(&started)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteC()
	if err == nil {
		return exitDone
	}
	if errors.Is(err, errNotWatched) {
		return exitFailed // the answer stands on stdout
	}
	printError(stderr, err)
	var usage usageError
	if started && !errors.As(err, &usage) {
		return exitFailed
	}
	fmt.Fprintf(stderr, "see `%s --help`\n", cmd.CommandPath())
	return exitUsage
}

// printError prints an error, which may be several on a line each.
func printError(w io.Writer, err error) {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if line != "" {
			fmt.Fprintf(w, "fim: %s\n", event.Escape(nil, []byte(line)))
		}
	}
}

// newRoot returns the command tree. started is set when a command has accepted
// its flags and arguments: an error before that is one of usage.
func newRoot(started *bool) *cobra.Command {
	root := &cobra.Command{
		Use:               "fim",
		Short:             "File integrity monitoring: what happens to watched files, and who did it",
		Version:           version,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		PersistentPreRun:  func(*cobra.Command, []string) { *started = true },
	}
	root.AddCommand(newWatch(), newCheck(), newExplain(), newReplay(), newFields())
	return root
}
