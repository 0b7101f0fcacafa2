// SPDX-License-Identifier: Apache-2.0

package event

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestATimeThatNoFieldCanHoldIsNotKnown(t *testing.T) {
	for _, row := range []struct {
		sec  int64
		nsec uint32
		want Uint
	}{
		{0, 0, Known(0)},
		{1732216800, 123456789, Known(1732216800123456789)},
		{-1, 0, Uint{}},
		{-1, 999999999, Uint{}}, // a nanosecond before the epoch
		{-1 << 63, 0, Uint{}},
		{18446744072, 999999999, Known(18446744072999999999)},
		{18446744073, 0, Uint{}},
		{1<<63 - 1, 0, Uint{}},
	} {
		if got := UnixTime(row.sec, row.nsec); got != row.want {
			t.Errorf("%d.%09d: got %v, want %v", row.sec, row.nsec, got, row.want)
		}
	}
}

func TestAModeHasAtLeastFourDigits(t *testing.T) {
	for mode, want := range map[uint64]string{
		0: "x0000", 0o7: "x0007", 0o10: "x0010", 0o644: "x0644", 0o777: "x0777", 0o1000: "x1000", 0o4755: "x4755", 0o100644: "x100644",
	} {
		if got := string(AppendMode([]byte("x"), mode)); got != want {
			t.Errorf("%#o: got %s, want %s", mode, got, want)
		}
	}
}

var enumerator = regexp.MustCompile(`\bOP_([A-Z]+) = ([0-9]+),`)

// What the kernel side sends is cast, so the numbers are one with those of its
// header. Loss is told by no program.
func TestOperationsHaveTheNumbersOfTheKernelSide(t *testing.T) {
	header, err := os.ReadFile("../bpf/src/record.h")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]string{}
	for _, match := range enumerator.FindAllStringSubmatch(string(header), -1) {
		there[strings.ToLower(match[1])] = match[2]
	}
	for _, op := range Ops() {
		if got, want := there[op.String()], strconv.Itoa(int(op)); op != OpLost && got != want {
			t.Errorf("%s is %s here and %q there", op, want, got)
		}
	}
	if len(there) != len(Ops())-1 {
		t.Errorf("record.h has %d operations, here are %d and loss", len(there), len(Ops())-1)
	}
}

func TestAttributeOperationsAreThoseThatAttribStandsFor(t *testing.T) {
	var got []string
	for _, op := range Ops() {
		if op.Attribute() {
			got = append(got, op.String())
		}
	}
	const want = "chmod chown utimes setxattr removexattr setacl chattr attrib"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("got %s, want %s", s, want)
	}
}
