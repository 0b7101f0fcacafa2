// SPDX-License-Identifier: Apache-2.0

package oracle

import (
	"reflect"
	"testing"
)

func TestAFailingPlanIsShortenedToTheStepsThatMatter(t *testing.T) {
	plan := Generate(7, 300, 9)
	matters := map[int]bool{3: true, 150: true, 299: true}
	var marked Steps
	for i, s := range plan {
		s.N = -1
		if matters[i] {
			s.N = i
		}
		marked = append(marked, s)
	}
	fails := func(some Steps) bool {
		left := 0
		for _, s := range some {
			if s.N >= 0 {
				left++
			}
		}
		return left == len(matters)
	}
	if short := Shrink(marked, fails, 1000); len(short) != 3 || !fails(short) {
		t.Errorf("%d steps are left:\n%s", len(short), short)
	}
}

func TestAShorterPlanIsSoughtOnlySoOften(t *testing.T) {
	tries := 0
	Shrink(Generate(7, 300, 9), func(Steps) bool { tries++; return false }, 20)
	if tries != 20 {
		t.Errorf("%d tries", tries)
	}
}

func TestAPlanFollowsFromItsSeed(t *testing.T) {
	if a, b := Generate(7, 300, 9), Generate(7, 300, 9); !reflect.DeepEqual(a, b) {
		t.Error("the same seed gave two plans")
	}
	if a, b := Generate(7, 300, 9), Generate(8, 300, 9); reflect.DeepEqual(a, b) {
		t.Error("two seeds gave the same plan")
	}
}
