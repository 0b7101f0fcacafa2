// SPDX-License-Identifier: Apache-2.0

// Command empty attaches programs that return at once where fim's eBPF backend
// attaches its own on this kernel, and in the same way. What an operation then
// costs more is the price of the hooks: the rest of fim's is that of what its
// programs do.
//
// It runs until SIGTERM. A line that begins with "empty: attached" says that
// everything is.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/cilium/ebpf/link"

	"github.com/falco-fim/fim/bpf"
	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/mount"
	"github.com/falco-fim/fim/watch"
)

func main() {
	events := flag.String("event", "open", "operations that fim would watch for, as its flag --event")
	flag.Parse()
	if err := run(strings.Split(*events, ","), flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "empty:", err)
		os.Exit(1)
	}
}

func run(events, paths []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	names, err := programs(events, paths)
	if err != nil {
		return fmt.Errorf("learn what fim attaches: %w", err)
	}
	links, err := attachAll(names)
	if err != nil {
		return err
	}
	fmt.Printf("empty: attached %s\n", strings.Join(names, " "))
	<-ctx.Done()
	for _, l := range links {
		err = errors.Join(err, l.Close())
	}
	return err
}

// programs asks the backend itself what it attaches: it is opened, and closed
// before anything is measured.
func programs(events, paths []string) ([]string, error) {
	o, err := options(events, paths)
	if err != nil {
		return nil, err
	}
	b, err := bpf.Open(o)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, h := range b.Hooks() {
		if h.Attached {
			names = append(names, strings.Split(h.Program, " + ")...)
		}
	}
	return names, b.Close()
}

func options(events, paths []string) (o bpf.Options, err error) {
	var patterns []watch.Pattern
	for _, p := range paths {
		patterns = append(patterns, watch.Pattern{Glob: p, Name: p})
	}
	if o.Set, err = watch.Compile(watch.Options{Include: patterns}); err != nil {
		return o, err
	}
	for _, name := range events {
		op, err := event.ParseOp([]byte(name))
		if err != nil {
			return o, err
		}
		o.Ops = append(o.Ops, op)
	}
	o.HostRoot = "/"
	table, err := mount.Read("/proc/self/mountinfo")
	if err != nil {
		return o, err
	}
	for _, m := range table.Mounts() {
		o.Mounts = append(o.Mounts, bpf.Mount{Dev: m.Dev, Root: m.Root, Point: m.Point, FSType: m.FSType})
	}
	return o, nil
}

func attachAll(names []string) ([]link.Link, error) {
	var links []link.Link
	for _, name := range names {
		l, err := attach(name)
		if err != nil {
			return nil, fmt.Errorf("attach in place of %s: %w", name, err)
		}
		links = append(links, l)
	}
	return links, nil
}
