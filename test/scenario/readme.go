// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"fmt"
	"strings"
)

// ReadmeTags stand around the table of [Markdown] in README.md.
var ReadmeTags = [2]string{"<!-- README-CANNOT -->\n", "<!-- /README-CANNOT -->\n"}

// Markdown returns rows as a table for people.
func Markdown(rows []Cannot) string {
	var b strings.Builder
	b.WriteString("| backend | what it cannot know | why |\n|---|---|---|\n")
	for _, c := range rows {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", c.Backend, c.sentence(), c.Reason)
	}
	return b.String()
}

// sentence says what the row's key stands for.
func (c Cannot) sentence() string {
	op, as, isOp := strings.Cut(c.What, "=")
	switch {
	case c.What == Merged:
		return "how often, and in which order"
	case !isOp:
		return fmt.Sprintf("`fs.%s`", c.What)
	case as == Absent:
		return fmt.Sprintf("`%s` may go unreported", op)
	}
	return fmt.Sprintf("`%s` is reported as `%s`", op, strings.ReplaceAll(as, "|", "` or `"))
}
