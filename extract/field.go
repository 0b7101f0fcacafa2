// SPDX-License-Identifier: Apache-2.0

package extract

import (
	"encoding/hex"
	"unsafe"

	"github.com/falco-fim/fim/event"
)

// Type is the type of a field, spelled as Falco's plugin API wants it. There
// is no signed type: a negative number in a uint64 field would print as a huge
// one and never compare below zero.
type Type string

// The types that fields have.
const (
	String Type = "string"
	Uint64 Type = "uint64"
	Bool   Type = "bool"
)

// Field is one Falco field.
type Field struct {
	Name    string // full name, "fs.host_path"
	Type    Type
	Desc    string // one or more sentences
	Example string // a value as Falco prints it

	// value returns the field's value in the event that x has decoded: a
	// string, uint64 or bool as Type says, or nil when it is absent. A string
	// may alias memory of x and is good until the next call.
	value func(x *Extractor) any
}

// text is a field that shows a name of the event, absent when it is empty.
func text(name, desc, example string, get func(*event.Event) []byte) Field {
	return Field{name, String, desc, example, func(x *Extractor) any {
		if v := get(&x.event); len(v) > 0 {
			return x.text(v)
		}
		return nil
	}}
}

// built is a string field that is put together from parts of the event. get
// appends it to buf and says whether it is known: an empty string can be.
func built(name, desc, example string, get func(buf []byte, e *event.Event) ([]byte, bool)) Field {
	return Field{name, String, desc, example, func(x *Extractor) any {
		v, known := get(x.joined[:0], &x.event)
		x.joined = v // keep what it has grown to
		if !known {
			return nil
		}
		return x.text(v)
	}}
}

// one is a string field whose values are few and made beforehand, which spares
// the allocation of an interface value.
func one(name, desc, example string, get func(x *Extractor) any) Field {
	return Field{name, String, desc, example, get}
}

// raw is a field that shows the exact bytes of a name in hexadecimal.
func raw(name, desc, example string, get func(*event.Event) []byte) Field {
	return built(name, desc, example, func(buf []byte, e *event.Event) ([]byte, bool) {
		v := get(e)
		return hex.AppendEncode(buf, v), len(v) > 0
	})
}

// number is a field that shows a number, absent when it is not known.
func number(name, desc, example string, get func(*event.Event) event.Uint) Field {
	return Field{name, Uint64, desc, example, func(x *Extractor) any {
		if n := get(&x.event); n.Known {
			return n.V
		}
		return nil
	}}
}

// truth is a bool field; get says what it is and whether that is known.
func truth(name, desc, example string, get func(*event.Event) (v, known bool)) Field {
	return Field{name, Bool, desc, example, func(x *Extractor) any {
		if v, known := get(&x.event); known {
			return v
		}
		return nil
	}}
}

// nonzero is for the numbers that are never zero when they are known.
func nonzero(n uint64) event.Uint { return event.Uint{V: n, Known: n != 0} }

// text returns v without control characters, as a string that shares its
// memory: Falco's SDK copies it into C memory at once.
func (x *Extractor) text(v []byte) string {
	safe := event.Escape(x.escaped, v)
	if unsafe.SliceData(safe) != unsafe.SliceData(v) {
		x.escaped = safe // keep what it has grown to
	}
	return unsafe.String(unsafe.SliceData(safe), len(safe))
}
