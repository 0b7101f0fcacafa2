// SPDX-License-Identifier: Apache-2.0

// Command actor does to files exactly what it is told, one system call per
// step, and nothing else: what a shell adds on its own (descriptors that it
// duplicates, files that it looks for, children that it forks) would stand in
// the events that a scenario compares.
//
//	actor STEP ARG... [, STEP ARG...]...
//
// The steps run in order in one process and one thread, so process and thread
// id are the same for all of them. The first step that fails ends it with exit
// code 1. "fails ERRNO STEP ARG..." is a step that must fail with just that
// error, for example "fails EACCES unlink f". Names are raw bytes. "actor help"
// lists the steps.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// separator stands between two steps; as an argument of its own it is no file
// name that a scenario needs.
const separator = ","

// step is one thing that the actor can do.
type step struct {
	name string
	// args names the arguments for the reader and for counting: "[X]" may be
	// left out, "X..." is one or more.
	args string
	run  func(a []string) error
}

// steps is the table that the command line and its help come from.
var steps = slices.Concat(contentSteps, mappingSteps, ringSteps, descriptorSteps, nameSteps, attributeSteps, mountSteps, subvolumeSteps, processSteps)

func main() {
	runtime.LockOSThread() // thread id and process id are the same
	unix.Umask(0o022)      // modes do not depend on who runs the test
	inherit()
	if len(os.Args) < 2 || os.Args[1] == "help" {
		help(os.Stdout)
		return
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "actor:", err)
		os.Exit(1)
	}
}

// run does the steps of args in order until one fails.
func run(args []string) error {
	for len(args) > 0 {
		words := args
		if end := slices.Index(args, separator); end >= 0 {
			words, args = args[:end], args[end+1:]
		} else {
			args = nil
		}
		if len(words) == 0 {
			return fmt.Errorf("empty step: %q separates two steps", separator)
		}
		if err := one(words); err != nil {
			return fmt.Errorf("%q: %w", words, err)
		}
	}
	return nil
}

// one does a single step, with or without "fails ERRNO" before it.
func one(words []string) error {
	if words[0] != "fails" {
		return do(words)
	}
	if len(words) < 3 {
		return errors.New("want fails ERRNO and a step")
	}
	var errno unix.Errno
	switch err := do(words[2:]); {
	case err == nil:
		return errors.New("succeeded, and should have failed")
	case !errors.As(err, &errno):
		return err
	case unix.ErrnoName(errno) != words[1]:
		return fmt.Errorf("failed with %s, should be %s", unix.ErrnoName(errno), words[1])
	}
	return nil
}

func do(words []string) error {
	i := slices.IndexFunc(steps, func(s step) bool { return s.name == words[0] })
	if i < 0 {
		return errors.New("no such step; see actor help")
	}
	args := words[1:]
	if least, most := arity(steps[i].args); len(args) < least || len(args) > most {
		return fmt.Errorf("want: %s %s", words[0], steps[i].args)
	}
	return steps[i].run(args)
}

// arity returns how many arguments a step takes.
func arity(args string) (least, most int) {
	for _, name := range strings.Fields(args) {
		switch {
		case strings.HasSuffix(name, "..."):
			least, most = least+1, 1<<20
		case strings.HasPrefix(name, "["):
			most++
		default:
			least, most = least+1, most+1
		}
	}
	return least, most
}

func help(w io.Writer) {
	for _, s := range steps {
		fmt.Fprintln(w, strings.TrimSpace(s.name+" "+s.args))
	}
}
