// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// chooseChange picks a change for the marker among the operations that the
// watcher was told to report.
func (w *watcher) chooseChange(args []string) error {
	events := "mkdir"
	for i, arg := range args {
		if value, ok := strings.CutPrefix(arg, "--event="); ok {
			events = value
		} else if arg == "--event" && i+1 < len(args) {
			events = args[i+1]
		}
	}
	for event := range strings.SplitSeq(events, ",") {
		switch event {
		case "mkdir":
			w.change = func(path string) error { return os.Mkdir(path, 0o755) }
		case "create":
			w.change = touch
		case "unlink":
			w.change = func(path string) error { return errors.Join(touch(path), os.Remove(path)) }
		case "open":
			w.change = func(path string) error {
				if err := touch(path); err != nil {
					return err
				}
				f, err := os.Open(path)
				if err != nil {
					return err
				}
				return f.Close()
			}
		default:
			continue
		}
		return nil
	}
	return fmt.Errorf("--event %s: settle needs one of mkdir, create, unlink, open", events)
}

func touch(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}
