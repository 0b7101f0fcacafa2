// SPDX-License-Identifier: Apache-2.0

package oracle

import "slices"

// Shrink returns a short list of steps, out of those given, of which fails still
// holds. It leaves out halves, quarters and so on to single steps for as long as
// that helps, and asks at most so many times.
func Shrink(steps Steps, fails func(Steps) bool, tries int) Steps {
	for size := len(steps) / 2; size > 0; {
		shorter := false
		for at := 0; at < len(steps) && tries > 0; {
			without := slices.Concat(steps[:at], steps[min(at+size, len(steps)):])
			tries--
			if len(without) > 0 && fails(without) {
				steps, shorter = without, true
			} else {
				at += size
			}
		}
		if tries == 0 {
			break
		}
		if !shorter || size > len(steps) {
			size /= 2
		}
	}
	return steps
}
