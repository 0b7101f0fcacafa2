// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Record is what one line of fim says, each key with its value as text.
type Record map[string]string

// readRecord reads a line. A name that is no text comes from its hexadecimal twin.
func readRecord(line []byte) (Record, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber() // inode numbers have 64 bits
	var all map[string]any
	if err := d.Decode(&all); err != nil {
		return nil, fmt.Errorf("%q: %w", line, err)
	}
	r := Record{}
	for key, value := range all {
		name, isRaw := strings.CutPrefix(key, "raw.")
		switch text, isText := value.(string); {
		case isRaw && isText:
			b, err := hex.DecodeString(text)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			r[name] = string(b)
		case r[name] == "":
			r[name] = fmt.Sprint(value)
		}
	}
	return r, nil
}

// shown are the keys that a reader of a failure wants, in this order.
var shown = []string{"op", "reason", "host_path", "alias_path", "old.host_path", "view_path", "old.view_path", "inode", "old.inode", "dev", "type",
	"size", "old.size", "res", "proc.pid", "proc.tid", "lost.count", "lost.reason"}

func (r Record) String() string {
	var words []string
	for _, key := range shown {
		if v, ok := r[key]; ok {
			words = append(words, fmt.Sprintf("%s=%s", key, quoted(v)))
		}
	}
	return strings.Join(words, " ")
}

// quoted shows a value on one line, in quotes where it needs them.
func quoted(v string) string {
	if q := fmt.Sprintf("%q", v); len(q) != len(v)+2 || strings.Contains(v, " ") {
		return q
	}
	return v
}

func (r Record) clone() Record {
	c := Record{}
	for k, v := range r {
		c[k] = v
	}
	return c
}

func (r Record) is(ops ...string) bool { return slices.Contains(ops, r["op"]) }
