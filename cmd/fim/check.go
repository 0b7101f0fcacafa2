// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"log"

	"github.com/spf13/cobra"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/source"
)

func newCheck() *cobra.Command {
	var f configFlags
	cmd := &cobra.Command{
		Use:   "check [PATH…]",
		Short: "Tell what this kernel and these privileges allow",
		Long: `Tell what this kernel and these privileges allow, which backend would be taken and
why not the others, and what of PATH (by default the default watch list) could not be
watched. Of the eBPF backend each hook is listed: the kernel function, the kind of
program that hangs there and why that kind, what it is needed for, and the function's
parameters where kernels differ in them, or why it is not attached.
The exit code is 1 when no backend works.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.config(cmd, args)
			if err != nil {
				return err
			}
			c.Log = log.New(cmd.OutOrStdout(), "warning: ", 0)
			return check(cmd.OutOrStdout(), c)
		},
	}
	f.register(cmd)
	return cmd
}

func check(w io.Writer, c source.Config) error {
	for _, f := range hostFacts() {
		printFact(w, f)
	}
	verdicts, err := source.Probe(c)
	for _, v := range verdicts {
		printFact(w, fact{"backend " + v.Backend, verdict(v)})
		for _, line := range v.Watches {
			printFact(w, fact{"  " + v.Backend + " watches", line})
		}
		for _, line := range v.Choice {
			printFact(w, fact{"  " + v.Backend + " programs", line})
		}
		w.Write(appendHooks(nil, v.Hooks))
	}
	return err
}

func verdict(v source.Verdict) string {
	switch {
	case v.Err != nil:
		return "no: " + v.Why()
	case v.Taken:
		return "yes, taken"
	}
	return "yes, not taken"
}

func printFact(w io.Writer, f fact) {
	fmt.Fprintf(w, "%-20s %s\n", f.name, event.Escape(nil, []byte(f.value)))
}
