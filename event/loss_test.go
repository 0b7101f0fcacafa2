// SPDX-License-Identifier: Apache-2.0

package event

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What README.md must say is asked of LossReasons, so a word that is not among them would
// be one that nobody is told what to do about.
func TestEachWordForALossIsAmongTheReasons(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "loss.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, "Loss") {
			return true
		}
		if value, ok := spec.Values[0].(*ast.BasicLit); ok {
			word, err := strconv.Unquote(value.Value)
			if err != nil {
				t.Fatal(err)
			}
			words = append(words, word)
		}
		return true
	})
	if !slices.Equal(words, LossReasons) {
		t.Errorf("constants are %q, LossReasons are %q", words, LossReasons)
	}
}
