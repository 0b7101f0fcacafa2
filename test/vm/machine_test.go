// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"context"
	"errors"
	"testing"
)

func TestOnlyAGuestThatDidEverythingPasses(t *testing.T) {
	over, cancel := context.WithTimeoutCause(context.Background(), 0, ErrTimeout)
	defer cancel()
	for name, tc := range map[string]struct {
		ctx    context.Context
		a      answers
		reason string
		want   error
	}{
		"all of it":              {nil, answers{1, 0, 0}, "guest-shutdown", nil},
		"run.sh failed":          {nil, answers{1, 3, 0}, "guest-shutdown", nil},
		"panic at the end":       {nil, answers{1, 0, 0}, "guest-reset", ErrPanic},
		"panic at boot":          {nil, answers{-1, -1, -1}, "guest-reset", ErrPanic},
		"no code":                {nil, answers{1, -1, -1}, "guest-shutdown", ErrSilent},
		"no results":             {nil, answers{1, 0, -1}, "guest-shutdown", ErrSilent},
		"out of time":            {over, answers{1, -1, -1}, "", ErrTimeout},
		"hang while it goes off": {over, answers{1, 0, 0}, "", ErrTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := tc.ctx
			if ctx == nil {
				ctx = context.Background()
			}
			m := machine{answers: tc.a, reason: tc.reason}
			if err := m.verdict(ctx); !errors.Is(err, tc.want) {
				t.Errorf("%v, want %v", err, tc.want)
			}
		})
	}
}
