// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// change is something that settle can do to a path that nobody else uses.
type change struct {
	event string
	do    func(path string) error
}

// changes are in the order of preference. Each causes its event exactly once,
// also where events of one process on one file are merged.
var changes = []change{
	{"mkdir", func(path string) error { return os.Mkdir(path, 0o755) }},
	{"create", touch},
	{"unlink", func(path string) error { return errors.Join(touch(path), os.Remove(path)) }},
}

// chooseChange picks a change that a watcher with these arguments reports.
func chooseChange(args []string) (func(path string) error, error) {
	events := "mkdir" // among those that are reported without the flag
	for i, arg := range args {
		if value, ok := strings.CutPrefix(arg, "--event="); ok {
			events = value
		} else if arg == "--event" && i+1 < len(args) {
			events = args[i+1]
		}
	}
	chosen := strings.Split(events, ",")
	for _, c := range changes {
		if slices.Contains(chosen, c.event) {
			return c.do, nil
		}
	}
	return nil, fmt.Errorf("--event %s: settle needs mkdir, create or unlink among them", events)
}

func touch(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}
