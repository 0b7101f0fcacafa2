// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"reflect"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/falco-fim/fim/source"
)

// configFlags are the flags that stand for keys of the configuration. What is
// given on the command line replaces what the file of --config says.
type configFlags struct {
	file      string
	events    []string
	excludes  []string
	recursive bool
	failed    bool
	inside    bool
	follow    bool
	backend   string
	ring      int
}

func (f *configFlags) register(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.file, "config", "", "read the plugin's init_config from `FILE` (YAML or JSON); PATH and flags replace its keys")
	fs.StringSliceVar(&f.events, "event", nil, "report only these `operations`, such as create,rename,attrib (default all but open and exec)")
	fs.BoolVar(&f.inside, "containers", false, "watch these paths inside containers, too; only the eBPF backend can")
	fs.BoolVar(&f.follow, "follow", false, "go on with files and directories that are moved out of the watched places; only the eBPF backend can")
	fs.BoolVar(&f.failed, "failed", false, "report attempts that were refused, too; only the eBPF backend sees them")
	fs.StringArrayVar(&f.excludes, "exclude", nil, "leave out what this `pattern` covers; may be repeated")
	fs.BoolVar(&f.recursive, "recursive", true, "watch everything below each PATH; false: the path and its direct children")
	fs.StringVar(&f.backend, "backend", "", "take events from this `backend`: auto, ebpf or fanotify (default auto)")
	fs.IntVar(&f.ring, "ring-buffer", 0, "size of the eBPF backend's ring buffer in `KiB` (default 4096)")
}

// config returns the configuration that the file, the flags and the paths make
// together.
func (f *configFlags) config(cmd *cobra.Command, paths []string) (source.Config, error) {
	c, err := readConfig(f.file)
	if err != nil {
		return c, err
	}
	if len(paths) > 0 {
		if c.Watch, err = absolutePatterns(c.HostRoot, paths); err != nil {
			return c, err
		}
	}
	if cmd.Flags().Changed("exclude") {
		if c.Exclude, err = absolutePatterns(c.HostRoot, f.excludes); err != nil {
			return c, err
		}
	}
	if cmd.Flags().Changed("event") {
		c.Events = f.events
	}
	if cmd.Flags().Changed("containers") {
		c.Containers = f.inside
	}
	if cmd.Flags().Changed("follow") {
		c.Follow = f.follow
	}
	if cmd.Flags().Changed("failed") {
		c.Failed = f.failed
	}
	if cmd.Flags().Changed("backend") {
		c.Backend = f.backend
	}
	if cmd.Flags().Changed("ring-buffer") {
		c.RingBufferKiB = f.ring
	}
	c.Direct = !f.recursive
	c.Log = logTo(cmd.ErrOrStderr())
	if err := c.Validate(); err != nil {
		return c, usageError{err}
	}
	return c, nil
}

// readConfig reads a configuration file, which is the plugin's init_config as
// it stands in falco.yaml or as JSON. No file is the defaults.
func readConfig(path string) (source.Config, error) {
	if path == "" {
		return source.Default(), nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return source.Config{}, fmt.Errorf("config: %w", err)
	}
	var value any
	if err := yaml.Unmarshal(text, &value); err != nil { // YAML 1.2 includes JSON
		return source.Config{}, usageError{fmt.Errorf("config %s: %w", path, err)}
	}
	if value == nil {
		return source.Default(), nil
	}
	object, err := json.Marshal(value)
	if err != nil { // keys that are not strings
		return source.Config{}, usageError{fmt.Errorf("config %s: %v cannot stand in a configuration: keys are words such as watch", path, reflect.TypeOf(value))}
	}
	c, err := source.ParseConfig(object)
	if err != nil {
		return c, usageError{fmt.Errorf("config %s: %w", path, err)}
	}
	return c, nil
}

// logTo is where warnings of a stream go.
func logTo(w io.Writer) *log.Logger { return log.New(w, "fim: ", 0) }
