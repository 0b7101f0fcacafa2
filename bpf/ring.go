// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
)

// ring reads the programs' records.
//
// To be woken for each record costs the process that caused it more than the
// record does. So once there was one, the ring is attentive: it looks again after
// a pause, and programs do not wake it. When a look finds nothing it falls asleep,
// and the next record wakes it at once.
type ring struct {
	reader    *ringbuf.Reader
	record    ringbuf.Record
	attentive bool
	flag      *ebpf.Variable // what programs see of attentive
}

// pause is how long a record may lie in a ring that is attentive.
const pause = time.Millisecond

func openRing(o *objects) (ring, error) {
	reader, err := ringbuf.NewReader(o.table("ring"))
	if err != nil {
		return ring{}, fmt.Errorf("open the ring buffer: %w", err)
	}
	return ring{reader: reader, flag: o.variable("attentive")}, nil
}

func (r *ring) close() error {
	if r.reader == nil {
		return nil
	}
	return r.reader.Close()
}

// next returns the next record, valid until the next call, or
// [os.ErrDeadlineExceeded] when none came until the deadline.
func (r *ring) next(deadline time.Time) ([]byte, error) {
	if r.attentive && r.reader.AvailableBytes() == 0 {
		if err := r.look(deadline); err != nil {
			return nil, err
		}
	}
	// What lies there is returned at once: a deadline that has passed keeps the
	// reader from waiting to be woken.
	if r.reader.AvailableBytes() > 0 {
		deadline = time.Unix(0, 1)
	}
	for {
		r.reader.SetDeadline(deadline)
		err := r.reader.ReadInto(&r.record)
		switch {
		case err == nil:
			return r.record.RawSample, r.rouse(true)
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return nil, err
		case r.reader.AvailableBytes() == 0 && !time.Now().Before(deadline):
			return nil, os.ErrDeadlineExceeded
		}
		// The reader had kept that error from an earlier call.
	}
}

// look pauses, and puts the ring to sleep if nothing came meanwhile. A program
// that has read the flag just before it falls sends without waking: the caller
// looks once more, and what comes even later waits for the next record, or for
// the caller's deadline.
func (r *ring) look(deadline time.Time) error {
	time.Sleep(min(pause, time.Until(deadline)))
	if r.reader.AvailableBytes() > 0 {
		return nil
	}
	return r.rouse(false)
}

// rouse makes the ring attentive, or no longer.
func (r *ring) rouse(attentive bool) error {
	if r.attentive == attentive {
		return nil
	}
	var flag uint32
	if attentive {
		flag = 1
	}
	if err := r.flag.Set(flag); err != nil {
		return fmt.Errorf("tell the programs whether to wake the reader: %w", err)
	}
	r.attentive = attentive
	return nil
}
