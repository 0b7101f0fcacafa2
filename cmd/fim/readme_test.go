// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func TestTheREADMEShowsTheFieldsThatTheBinaryHas(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, begins := strings.Cut(string(text), "<!-- README-PLUGIN-FIELDS -->\n")
	shown, _, ends := strings.Cut(rest, "<!-- /README-PLUGIN-FIELDS -->")
	if !begins || !ends {
		t.Fatal("README.md: the tags of the field table are gone")
	}
	var want bytes.Buffer
	if err := fieldsMarkdown(&want); err != nil {
		t.Fatal(err)
	}
	if shown != want.String() {
		t.Errorf("README.md: the field table is not that of the binary: run make fields")
	}
}
