// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestScenarios(t *testing.T) {
	if *deafOnly {
		return
	}
	files, table := scriptFiles(t), cannotTable(t)
	for backend := range strings.SplitSeq(*backendFlag, ",") {
		t.Run(backend, func(t *testing.T) {
			var c *crowd
			if *together {
				c = newCrowd()
			}
			for fs := range strings.SplitSeq(*fsFlag, ",") {
				if c != nil {
					c.come() // nobody begins before all scripts of this filesystem are known
				}
				t.Run(fs, func(t *testing.T) {
					if c != nil {
						defer c.leave()
						t.Parallel()
					}
					s := setting{fim: programs.fim, backend: backend, fs: wanted(t, fs), patience: *patience, table: table, crowd: c}
					if c == nil {
						testscript.Run(t, s.params(files))
						return
					}
					testscript.RunT(sharing{t, c}, s.params(files))
				})
			}
		})
	}
}

// scriptFiles writes every script to a directory of this test.
func scriptFiles(t *testing.T) []string {
	t.Helper()
	scripts, err := Scripts()
	if err != nil {
		t.Fatal(err)
	}
	files, err := Write(t.TempDir(), scripts)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func cannotTable(t *testing.T) []Cannot {
	t.Helper()
	table, err := CannotTable()
	if err != nil {
		t.Fatal(err)
	}
	return table
}
