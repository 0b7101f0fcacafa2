// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"fmt"
	"strings"
)

// ReadmeTags stand around the table of [Markdown] in README.md.
var ReadmeTags = [2]string{"<!-- README-CANNOT -->\n", "<!-- /README-CANNOT -->\n"}

// Markdown returns rows as a table for people. Rows beside each other with one
// reason become one.
func Markdown(rows []Cannot) string {
	var b strings.Builder
	b.WriteString("| backend | what it cannot know | why |\n|---|---|---|\n")
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n].Backend == rows[0].Backend && rows[n].Reason == rows[0].Reason {
			n++
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", rows[0].Backend, sentences(rows[:n]), rows[0].Reason)
		rows = rows[n:]
	}
	return b.String()
}

// sentences says what rows stand for, once what is the same of several.
func sentences(rows []Cannot) string {
	var b strings.Builder
	for i, c := range rows {
		what, how := c.sentence()
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(what)
		if i+1 < len(rows) {
			if _, next := rows[i+1].sentence(); next == how {
				continue
			}
		}
		b.WriteString(how)
	}
	return b.String()
}

// sentence says what the row's key stands for, and what is to be said of it.
func (c Cannot) sentence() (what, how string) {
	op, as, isOp := strings.Cut(c.What, "=")
	of, part, isPart := strings.Cut(c.What, ":")
	switch {
	case c.What == Merged:
		return "how often, and in which order", ""
	case c.What == refused:
		return "refused attempts", ""
	case isPart && of == refused:
		return fmt.Sprintf("attempts refused with `%s`", part), ""
	case isPart:
		return fmt.Sprintf("`fs.%s` of `%s`", part, of), ""
	case !isOp:
		return fmt.Sprintf("`fs.%s`", c.What), ""
	case as == Absent:
		return fmt.Sprintf("`%s`", op), " may go unreported"
	}
	return fmt.Sprintf("`%s`", op), fmt.Sprintf(" told as `%s`", strings.ReplaceAll(as, "|", "` or `"))
}
