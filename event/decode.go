// SPDX-License-Identifier: Apache-2.0

package event

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/valyala/fastjson"
)

// ErrVersion is returned for a payload of a version that this build does not
// know.
var ErrVersion = errors.New("unknown payload version")

// PayloadOp returns the operation of a payload without parsing the rest. It
// fails for anything that [Append] or [AppendText] did not write.
func PayloadOp(payload []byte) (Op, error) {
	rest, ok := bytes.CutPrefix(payload, []byte(opPrefix))
	if !ok {
		return 0, fmt.Errorf("payload does not begin with %s", opPrefix)
	}
	name, _, ok := bytes.Cut(rest, []byte{'"'})
	if !ok {
		return 0, errors.New("payload ends inside its operation")
	}
	return ParseOp(name)
}

// Decoder turns payloads back into events. It is not safe for concurrent use.
type Decoder struct {
	p     fastjson.Parser
	hex   []byte   // what the "raw." twins decode to
	lists [][]byte // the lists of the event, one behind the other

	numbers []uint64 // its lists of numbers
}

// Decode fills e from what [Append] or [AppendText] wrote. The slices of e are
// valid until the next Decode. Keys it does not know are passed over, so that
// a later version may add some. Any input is safe: what is not a payload is an
// error, never a panic.
func (d *Decoder) Decode(payload []byte, e *Event) error {
	*e = Event{}
	v, err := d.p.ParseBytes(payload)
	if err != nil {
		return fmt.Errorf("parse payload: %w", err)
	}
	obj, err := v.Object()
	if err != nil {
		return errors.New("payload is not a JSON object")
	}
	if n := v.GetUint64("v"); n != Version {
		return fmt.Errorf("%w %d: want %d", ErrVersion, n, Version)
	}
	if e.Op, err = ParseOp(v.GetStringBytes("op")); err != nil {
		return fmt.Errorf("key %q: %w", "op", err)
	}
	d.hex, d.lists, d.numbers = d.hex[:0], d.lists[:0], d.numbers[:0]
	obj.Visit(func(key []byte, v *fastjson.Value) {
		if err == nil {
			err = d.member(e, key, v)
		}
	})
	return err
}

func (d *Decoder) member(e *Event, key []byte, v *fastjson.Value) error {
	name, twin := bytes.CutPrefix(key, []byte(rawPrefix))
	m := byKey[string(name)]
	if m == nil {
		return nil
	}
	var err error
	switch p := m.at(e).(type) {
	case *uint64:
		*p, err = v.Uint64()
	case *Uint:
		p.V, err = v.Uint64()
		p.Known = err == nil
	case *octal:
		p.V, err = parseOctal(v)
		p.Known = err == nil
	case *[]uint64:
		*p, err = d.uints(v)
	case *bool:
		*p, err = v.Bool()
	case *Bool:
		p.V, err = v.Bool()
		p.Known = err == nil
	case *Type:
		var text []byte
		if text, err = v.StringBytes(); err == nil {
			*p, err = parseType(text)
		}
	case *[]byte:
		*p, err = d.name(v, twin)
	case *[][]byte:
		*p, err = d.list(v, twin)
	}
	if err != nil {
		return fmt.Errorf("key %q: %s", key, trimLibrary(err))
	}
	return nil
}

func (d *Decoder) name(v *fastjson.Value, twin bool) ([]byte, error) {
	text, err := v.StringBytes()
	if err != nil || !twin {
		return text, err
	}
	from := len(d.hex)
	d.hex, err = hex.AppendDecode(d.hex, text)
	return d.hex[from:len(d.hex):len(d.hex)], err
}

// list appends to the lists, whose older parts stay where they are when it grows.
func (d *Decoder) list(v *fastjson.Value, twin bool) ([][]byte, error) {
	items, err := v.Array()
	if err != nil {
		return nil, err
	}
	from := len(d.lists)
	for _, item := range items {
		name, err := d.name(item, twin)
		if err != nil {
			return nil, err
		}
		d.lists = append(d.lists, name)
	}
	return d.lists[from:len(d.lists):len(d.lists)], nil
}

func (d *Decoder) uints(v *fastjson.Value) ([]uint64, error) {
	items, err := v.Array()
	if err != nil {
		return nil, err
	}
	from := len(d.numbers)
	for _, item := range items {
		n, err := item.Uint64()
		if err != nil {
			return nil, err
		}
		d.numbers = append(d.numbers, n)
	}
	return d.numbers[from:len(d.numbers):len(d.numbers)], nil
}

func parseOctal(v *fastjson.Value) (uint64, error) {
	text, err := v.StringBytes()
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(string(text), 8, 64)
}

// trimLibrary drops the parser's advice, which ends each of its messages in a
// dump of the value.
func trimLibrary(err error) string {
	text, _, _ := strings.Cut(err.Error(), "; got")
	return text
}
