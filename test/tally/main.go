// SPDX-License-Identifier: Apache-2.0

// Command tally reads what "go test -json" prints and shows what a person
// wants of it: one line per package as it ends, the whole output of each test
// that failed, and as the last line
//
//	N passed, N failed, N skipped
//
// Tests without subtests are what it counts. A test with subtests counts only
// when it fails and none of them did; a package that fails while no test of it
// did (it does not build, TestMain fails) counts as one failed test. A test
// that never ended failed. A skip that the list of allowed skips does not hold
// failed, and so did the run when no test ran at all. The exit code is 0 when
// nothing failed, else 1.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	list := flag.String("skips", "test/skips.txt", "`file` of allowed skips")
	above := flag.String("above", "", "`file`, if there is one at the end, to show above the last line")
	flag.Parse()
	allowed, err := readSkips(*list)
	if err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(2)
	}
	if !run(os.Stdin, os.Stdout, allowed, *above) {
		os.Exit(1)
	}
}

// run tells whether all is well.
func run(in io.Reader, out io.Writer, allowed *skips, above string) bool {
	w := bufio.NewWriter(out)
	defer w.Flush()
	t := newTally(w, allowed)
	t.above = above
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n') // of any length
		if len(line) > 0 {
			t.line(line)
			w.Flush() // a person is watching
		}
		if err == io.EOF {
			return t.end()
		}
		if err != nil {
			t.wrong(fmt.Sprintf("reading the test events: %v", err))
			return t.end()
		}
	}
}
