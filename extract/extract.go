// SPDX-License-Identifier: Apache-2.0

// Package extract answers Falco's questions for fields from the payload of an
// event. It knows payloads only, so it reads live events, replays and captures
// alike.
//
// Falco asks for one field at a time and for the same field once for each rule
// that names it, so an event is decoded once, when the first field other than
// fs.op is asked for. The package does not import the plugin SDK, whose types
// need cgo: it names the few methods that it calls.
package extract

import (
	"fmt"
	"io"
	"unsafe"

	"github.com/falco-fim/fim/event"
)

// Event is what Falco hands over to extract from; the SDK's EventReader is
// one.
type Event interface {
	// EventNum returns the number that the framework gave the event. Numbers
	// start again with each capture.
	EventNum() uint64
	// Timestamp returns the event's time, in nanoseconds since the epoch.
	Timestamp() uint64
	// Reader returns a reader of the payload. One that also has the methods
	// BufferPtr and Len of the SDK's BytesReadWriter is not read but aliased.
	Reader() io.ReadSeeker
}

// Request asks for one field; the SDK's ExtractRequest is one.
type Request interface {
	// FieldID returns the index of the field in [Fields].
	FieldID() uint64
	// SetValue sets the value. It must have copied v when it returns.
	SetValue(v any)
	// ArgIndex returns the n of a field that is asked for as NAME[n].
	ArgIndex() uint64
}

// Extractor extracts fields. It holds the event that was asked for last; the
// zero value is ready. It is not safe for concurrent use: Falco calls one
// plugin state from one thread at a time, so each has its own.
type Extractor struct {
	num, ts uint64 // which event the members below are of

	op     event.Op
	opErr  error
	opRead bool

	event   event.Event
	err     error
	decoded bool

	decoder event.Decoder
	index   uint64   // of the request at hand
	joined  []byte   // scratch of fields that are put together
	escaped []byte   // scratch of names that hold control characters
	list    []string // scratch of lists
}

// Extract sets the value of the field that req asks for, or none when the
// event does not know it. A payload that is not one of ours is an error and
// sets nothing.
func (x *Extractor) Extract(req Request, evt Event) error {
	id := req.FieldID()
	if id >= uint64(len(fields)) {
		return fmt.Errorf("extract: field id %d: there are %d fields", id, len(fields))
	}
	x.turn(evt)
	x.index = req.ArgIndex()
	v, err := x.value(id, evt)
	if err != nil {
		return fmt.Errorf("extract %s of event %d: %w", fields[id].Name, x.num, err)
	}
	if v != nil {
		req.SetValue(v)
	}
	return nil
}

// Line returns the event as one line of text for people, without control
// characters.
func (x *Extractor) Line(evt Event) (string, error) {
	x.turn(evt)
	if err := x.decode(evt); err != nil {
		return "", fmt.Errorf("event %d: %w", x.num, err)
	}
	x.joined = AppendLine(x.joined[:0], &x.event)
	return string(x.joined), nil
}

// turn forgets the event held if evt is another one. The number alone does not
// tell: it repeats when a second capture begins.
func (x *Extractor) turn(evt Event) {
	num, ts := evt.EventNum(), evt.Timestamp()
	if num != x.num || ts != x.ts {
		x.num, x.ts = num, ts
		x.opRead, x.decoded = false, false
	}
}

func (x *Extractor) value(id uint64, evt Event) (any, error) {
	read := x.decode
	if id == opID {
		read = x.readOp
	}
	if err := read(evt); err != nil {
		return nil, err
	}
	return fields[id].value(x), nil
}

func (x *Extractor) readOp(evt Event) error {
	if x.opRead {
		return x.opErr
	}
	p, err := payload(evt.Reader())
	if err == nil {
		x.op, err = event.PayloadOp(p)
	}
	x.opErr, x.opRead = err, true
	return err
}

func (x *Extractor) decode(evt Event) error {
	if x.decoded {
		return x.err
	}
	p, err := payload(evt.Reader())
	if err == nil {
		err = x.decoder.Decode(p, &x.event) // copies p
	}
	x.err, x.decoded = err, true
	return err
}

// payload returns the bytes behind r. The SDK's reader copies byte by byte,
// which costs more than decoding does, so its memory is aliased; the bytes are
// good for the length of Falco's call.
func payload(r io.ReadSeeker) ([]byte, error) {
	m, ok := r.(interface {
		BufferPtr() unsafe.Pointer
		Len() int64
	})
	if !ok {
		return io.ReadAll(r)
	}
	return unsafe.Slice((*byte)(m.BufferPtr()), m.Len()), nil
}
