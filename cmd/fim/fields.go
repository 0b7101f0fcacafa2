// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/falco-fim/fim/extract"
)

func newFields() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "fields",
		Short: "List the fields that Falco rules can use",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch format {
			case "markdown":
				return fieldsMarkdown(cmd.OutOrStdout())
			case formatTable:
				return fieldsTable(cmd.OutOrStdout())
			}
			return usageError{fmt.Errorf("--format %q: want table or markdown", format)}
		},
	}
	cmd.Flags().StringVar(&format, "format", formatTable, "print a `table` or markdown")
	return cmd
}

func fieldsTable(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tTYPE\tEXAMPLE\tDESCRIPTION")
	for _, f := range extract.Fields() {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.Title(), f.Kind(), f.Example, f.Desc)
	}
	return w.Flush()
}

// fieldsMarkdown prints the table that stands in the README.
func fieldsMarkdown(w io.Writer) error {
	text := "| field | type | meaning | example |\n|---|---|---|---|\n"
	for _, f := range extract.Fields() {
		text += fmt.Sprintf("| `%s` | %s | %s | `%s` |\n", f.Title(), f.Kind(), f.Desc, f.Example)
	}
	_, err := io.WriteString(w, text)
	return err
}
