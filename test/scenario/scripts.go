// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/txtar"
)

//go:embed scripts/*.txtar
var embedded embed.FS

// Script is one run: a file of scripts/, or one row of it.
type Script struct {
	Name string
	Text []byte
}

// Flags is what the script first watches with, but for the patterns: scripts with the same
// can share one fim. What a script excludes is its own.
func (s Script) Flags() string {
	for line := range strings.Lines(string(s.Text)) {
		words := strings.Fields(line)
		if len(words) > 0 && words[0] == "watch" {
			flags, _ := divide(words[1:])
			return strings.Join(flags, " ")
		}
	}
	return ""
}

// divide divides the words of a watch into those that are its own and the patterns that it
// can have beside others.
func divide(words []string) (flags, patterns []string) {
	first := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "/") || strings.HasPrefix(w, "$") })
	if first < 0 || slices.Contains(words, "--exclude") {
		first = len(words)
	}
	return words[:first], words[first:]
}

// Scripts returns every script, one for each row where there are rows of runs.
func Scripts() ([]Script, error) {
	files, err := fs.Glob(embedded, "scripts/*.txtar")
	if err != nil {
		return nil, err
	}
	var all []Script
	for _, file := range files {
		text, err := embedded.ReadFile(file)
		if err != nil {
			return nil, err
		}
		scripts, err := split(strings.TrimSuffix(filepath.Base(file), ".txtar"), text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, scripts...)
	}
	return all, nil
}

// licence is the first line of each script. Its place is where a row's
// variables go, so that line numbers in failures are those of the file.
const licence = "# SPDX-License-Identifier: Apache-2.0\n"

// split makes the runs of one file: it adds the variables of a row in front
// and the last settle at the end.
func split(name string, text []byte) ([]Script, error) {
	archive := txtar.Parse(text)
	body, ok := bytes.CutPrefix(archive.Comment, []byte(licence))
	if !ok {
		return nil, fmt.Errorf("first line must be %q", licence)
	}
	made := func(label, first string) Script {
		archive.Comment = fmt.Appendf(nil, "%s%s\nend\n", first, body)
		return Script{name + label, txtar.Format(archive)}
	}
	var rows []byte
	for _, f := range archive.Files {
		if f.Name == "rows" {
			rows = f.Data
		}
	}
	if rows == nil {
		return []Script{made("", licence)}, nil
	}
	if before, block, after, ok := eachRow(body); ok {
		body = before
		for label, vars := range rowsOf(rows) {
			body = fmt.Appendf(body, "# %s\nenv %s\n%s", label, vars, block)
		}
		body = append(body, after...)
		return []Script{made("", licence)}, nil
	}
	var all []Script
	for label, vars := range rowsOf(rows) {
		all = append(all, made("."+label, "env "+vars+"\n"))
	}
	return all, nil
}

// eachRow finds the lines between "each" and "end-each".
func eachRow(body []byte) (before, block, after []byte, ok bool) {
	before, rest, begins := bytes.Cut(body, []byte("\neach\n"))
	block, after, ends := bytes.Cut(rest, []byte("\nend-each\n"))
	return append(bytes.Clone(before), '\n'), append(bytes.Clone(block), '\n'), after, begins && ends
}

// rowsOf yields the label of each row, and its variables.
func rowsOf(text []byte) iter.Seq2[string, string] {
	return func(yield func(label, vars string) bool) {
		for line := range strings.Lines(string(text)) {
			label, vars, _ := strings.Cut(strings.TrimSpace(line), " ")
			if label != "" && !yield(label, strings.TrimSpace(vars)) {
				return
			}
		}
	}
}

// Write puts the scripts below dir and returns the files' names.
func Write(dir string, scripts []Script) ([]string, error) {
	var files []string
	for _, s := range scripts {
		file := filepath.Join(dir, s.Name+".txtar")
		if err := os.WriteFile(file, s.Text, 0o644); err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}
