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
	List    bool   // it has any number of values of that type
	Index   bool   // it is asked for as NAME[n], n counted from zero
	Desc    string // one or more sentences
	Example string // a value as Falco prints it

	// value returns the field's value in the event that x has decoded: a
	// string, uint64 or bool as Type says, of a list a []string, or nil when it
	// is absent. A string may alias memory of x and is good until the next call.
	value func(x *Extractor) any
}

// Title is the name as people write it.
func (f *Field) Title() string {
	if f.Index {
		return f.Name + "[n]"
	}
	return f.Name
}

// Kind names the type for people.
func (f *Field) Kind() string {
	if f.List {
		return "list of " + string(f.Type) + "s"
	}
	return string(f.Type)
}

// text is a field that shows a name of the event, absent when it is empty.
func text(name, desc, example string, get func(*event.Event) []byte) Field {
	return Field{Name: name, Type: String, Desc: desc, Example: example, value: func(x *Extractor) any {
		if v := get(&x.event); len(v) > 0 {
			return x.text(v)
		}
		return nil
	}}
}

// list is a field that shows a list of names, absent when it is empty: Falco has
// no empty list.
func list(name, desc, example string, get func(*event.Event) [][]byte) Field {
	return Field{Name: name, Type: String, List: true, Desc: desc, Example: example, value: func(x *Extractor) any {
		if v := get(&x.event); len(v) > 0 {
			return x.texts(v)
		}
		return nil
	}}
}

// nth is a field that shows a name of the process itself (0) or of one above it:
// its parent (1), the parent of that (2), and so on.
func nth(name, desc, example string, self func(*event.Process) []byte, above func(*event.Process) [][]byte) Field {
	return Field{Name: name, Type: String, Index: true, Desc: desc, Example: example, value: func(x *Extractor) any {
		v, p := []byte(nil), &x.event.Proc
		if list := above(p); x.index == 0 {
			v = self(p)
		} else if x.index <= uint64(len(list)) {
			v = list[x.index-1]
		}
		if len(v) == 0 {
			return nil
		}
		return x.text(v)
	}}
}

// mode is a field that shows permission bits in octal.
func mode(name, desc, example string, get func(*event.Event) event.Uint) Field {
	return built(name, desc, example, func(buf []byte, e *event.Event) ([]byte, bool) {
		m := get(e)
		return event.AppendMode(buf, m.V), m.Known
	})
}

// built is a string field that is put together from parts of the event. get
// appends it to buf and says whether it is known: an empty string can be.
func built(name, desc, example string, get func(buf []byte, e *event.Event) ([]byte, bool)) Field {
	return Field{Name: name, Type: String, Desc: desc, Example: example, value: func(x *Extractor) any {
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
	return Field{Name: name, Type: String, Desc: desc, Example: example, value: get}
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
	return Field{Name: name, Type: Uint64, Desc: desc, Example: example, value: func(x *Extractor) any {
		if n := get(&x.event); n.Known {
			return n.V
		}
		return nil
	}}
}

// truth is a bool field; get says what it is and whether that is known.
func truth(name, desc, example string, get func(*event.Event) (v, known bool)) Field {
	return Field{Name: name, Type: Bool, Desc: desc, Example: example, value: func(x *Extractor) any {
		if v, known := get(&x.event); known {
			return v
		}
		return nil
	}}
}

// maybe is a bool field that shows a member which may be unknown.
func maybe(name, desc, example string, get func(*event.Event) event.Bool) Field {
	return truth(name, desc, example, func(e *event.Event) (v, known bool) {
		b := get(e)
		return b.V, b.Known
	})
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

// texts is text for each name of a list. Flags are words of the kernel's, so only
// one that somebody forged takes memory.
func (x *Extractor) texts(names [][]byte) []string {
	x.list = x.list[:0]
	for _, name := range names {
		safe := event.Escape(nil, name)
		x.list = append(x.list, unsafe.String(unsafe.SliceData(safe), len(safe)))
	}
	return x.list
}

var reasonPath = []byte("path")

// reason is how the pattern came to name the file.
func reason(e *event.Event) []byte {
	if len(e.Reason) == 0 && len(e.Watch) > 0 {
		return reasonPath
	}
	return e.Reason
}
