// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// Record is one line of "fim watch --format json", read with the standard
// library and not with fim's own decoder: as a user's script would.
type Record map[string]any

// ParseRecord reads one line.
func ParseRecord(line []byte) (Record, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber() // inode numbers have 64 bits
	var r Record
	if err := d.Decode(&r); err != nil {
		return nil, fmt.Errorf("event %q is not JSON: %w", line, err)
	}
	return r, nil
}

// Text returns the value of key as text, and whether there is one. A name
// that is not valid UTF-8 comes from its hexadecimal twin, so it is exact. The
// members of a list are joined by spaces.
func (r Record) Text(key string) (string, bool) {
	if twin, ok := r["raw."+key]; ok {
		return text(twin, unhex), true
	}
	v, ok := r[key]
	return text(v, func(s string) string { return s }), ok
}

// Words returns the members of a list.
func (r Record) Words(key string) (words []string) {
	items, _ := r[key].([]any)
	for _, item := range items {
		words = append(words, text(item, func(s string) string { return s }))
	}
	return words
}

// Refused tells whether the event is one of an attempt that was refused.
func (r Record) Refused() bool { return r[refused] == true }

func text(v any, decode func(string) string) string {
	switch v := v.(type) {
	case string:
		return decode(v)
	case []any:
		var words []string
		for _, item := range v {
			words = append(words, text(item, decode))
		}
		return strings.Join(words, " ")
	default:
		return fmt.Sprint(v)
	}
}

// unhex keeps what is not hexadecimal as it is, to be seen in the failure.
func unhex(s string) string {
	b, err := hex.DecodeString(s)
	if err != nil {
		return s
	}
	return string(b)
}

// String shows what identifies an event to a reader of a failure.
func (r Record) String() string {
	var b strings.Builder
	for _, key := range []string{"op", "host_path", "old.host_path", "inode", "old.inode", "dev", "type", "watch",
		"size", "old.size", "failed", "res", "flags", "old.flags", "mode", "old.mode", "owner.uid", "old.owner.uid", "owner.gid", "old.owner.gid",
		"mtime", "old.mtime", "nlink", "xattr.name", "acl", "old.acl", "proc.pid", "proc.name", "lost.reason", "lost.count"} {
		if v, ok := r.Text(key); !ok || key == "res" && !r.Refused() {
			continue
		} else if key == "op" {
			b.WriteString(v)
		} else {
			fmt.Fprintf(&b, " %s=%s", key, Escape(v))
		}
	}
	return b.String()
}
