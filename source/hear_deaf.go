// SPDX-License-Identifier: Apache-2.0

//go:build fim_deaf

package source

import (
	"time"

	"github.com/falco-fim/fim/event"
)

// hear makes a backend that works in all but one respect: nothing it sees comes
// out. Tests build with the tag fim_deaf to prove that they would notice.
func hear(b Backend) Backend { return deaf{b} }

type deaf struct{ Backend }

func (d deaf) Next(e *event.Event, deadline time.Time) error {
	for {
		if err := d.Backend.Next(e, deadline); err != nil {
			return err
		}
	}
}
