// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"path"
	"strconv"
)

// fault spoils what fim said, to show that it would be noticed: it returns what an event
// becomes. Each is met by few events, and by the same ones when steps are left out.
type fault func(Record) []Record

// faults are what -break plants. Each lasts for one run.
var faults = map[string]func() fault{
	"": func() fault { return func(r Record) []Record { return []Record{r} } },
	// an event is lost, and nobody says so
	"drop": func() fault {
		return func(r Record) []Record {
			if r.is("unlink") && path.Base(r["host_path"]) == "f0" {
				return nil
			}
			return []Record{r}
		}
	},
	// an event comes twice
	"dup": func() fault {
		return func(r Record) []Record {
			if r.is("mkdir") {
				return []Record{r, r}
			}
			return []Record{r}
		}
	},
	// a file has the device of another filesystem
	"swapdev": func() fault {
		return func(r Record) []Record {
			if dev, err := strconv.ParseUint(r["dev"], 10, 64); err == nil && r.is("create") {
				r = r.clone()
				r["dev"] = strconv.FormatUint(dev+1, 10)
			}
			return []Record{r}
		}
	},
	"stalepath": stalePath,
}

// stalePath tells the path that a file had when it was told last, as who remembers
// paths by inode and does not follow directories does.
func stalePath() fault {
	last := map[string]string{}
	return func(r Record) []Record {
		file := r["dev"] + ":" + r["inode"]
		known := last[file]
		last[file] = r["host_path"]
		if known != "" && r.is("modify", "chmod", "attrib") {
			r = r.clone()
			r["host_path"] = known
		}
		return []Record{r}
	}
}
