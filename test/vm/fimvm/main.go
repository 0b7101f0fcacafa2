// SPDX-License-Identifier: Apache-2.0

// Command fimvm runs a directory of programs on a stock Debian kernel in a
// virtual machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/falco-fim/fim/test/vm"
)

// exitNoAnswer is the exit code when there is none of run.sh, as env(1),
// timeout(1) and container runtimes have it.
const exitNoAnswer = 125

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var code int
	if err := command(&code).ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "fimvm:", err)
		code = exitNoAnswer
	}
	os.Exit(code)
}

// command is the command line; a guest's exit code goes to code.
func command(code *int) *cobra.Command {
	cache := &vm.Cache{Log: os.Stderr}
	root := &cobra.Command{
		Use:           "fimvm",
		Short:         "Run programs on stock Debian kernels in a virtual machine",
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(*cobra.Command, []string) (err error) {
			if cache.Dir == "" {
				cache.Dir, err = vm.DefaultDir()
			}
			return err
		},
	}
	root.CompletionOptions.DisableDefaultCmd = true
	f := root.PersistentFlags()
	f.StringVar(&cache.Dir, "cache", "", "directory of kernels and root filesystems (default $FIM_VM_CACHE, else .cache/vm of the repository)")
	f.StringVar(&cache.Mirror, "mirror", "", "URL of a Debian archive (default: the one that this machine's apt uses)")
	root.AddCommand(runCommand(cache, code), fetchCommand(cache), listCommand())
	return root
}

func runCommand(cache *vm.Cache, code *int) *cobra.Command {
	o := vm.Options{Console: os.Stdout}
	cmd := &cobra.Command{
		Use:   "run KERNEL PAYLOAD",
		Short: "Boot KERNEL, run PAYLOAD/run.sh as root and exit as it did",
		Long: `Boots KERNEL and runs PAYLOAD/run.sh as root, in a writable copy of PAYLOAD.
What run.sh leaves in the folder out comes back as PAYLOAD/out (or --out).
The exit code is that of run.sh, and 125 when the guest gave none: a panic, a
timeout, or no machine at all.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Kernel, o.Payload = args[0], args[1]
			r, err := cache.Run(cmd.Context(), o)
			*code = r.ExitCode
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Append, "append", "", "more of the kernel's command line, such as lsm=… or preempt=full")
	f.IntVar(&o.SMP, "smp", 2, "processors")
	f.StringVar(&o.Memory, "memory", "2G", "memory")
	f.DurationVar(&o.Timeout, "timeout", 0, "for boot and payload together (default 5m)")
	f.BoolVar(&o.ICount, "icount", false, "one instruction takes 1 ns of guest time; one processor")
	f.StringVar(&o.Out, "out", "", "directory for the results, replaced (default PAYLOAD/out)")
	return cmd
}

func fetchCommand(cache *vm.Cache) *cobra.Command {
	return &cobra.Command{
		Use:   "fetch [KERNEL…]",
		Short: "Bring kernels in the cache up to date (default: all of them)",
		RunE: func(cmd *cobra.Command, names []string) error {
			if len(names) == 0 {
				for _, k := range vm.Kernels {
					names = append(names, k.Name)
				}
			}
			var failed []error
			for _, name := range names {
				image, err := cache.Update(cmd.Context(), name)
				if err != nil {
					failed = append(failed, err)
					continue
				}
				fmt.Printf("%s\t%s\t%s\n", image.Name, image.Release, image.Version)
			}
			if _, err := cache.Root(cmd.Context()); err != nil {
				failed = append(failed, err)
			}
			return errors.Join(failed...)
		},
	}
}

func listCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Print the names of the kernels",
		Args:  cobra.NoArgs,
		Run: func(*cobra.Command, []string) {
			for _, k := range vm.Kernels {
				fmt.Println(k.Name)
			}
		},
	}
}
