// SPDX-License-Identifier: Apache-2.0

// Package abi writes the structs of Falco's plugin API that the SDK writes
// slowly, or not at all. Layouts are those of plugin_types.h; the host in
// test/stress reads them back through that header.
package abi

import (
	"encoding/binary"
	"unsafe"

	"github.com/falcosecurity/plugin-sdk-go/pkg/sdk"

	"github.com/falco-fim/fim/event"
)

// EventSize is the largest payload in bytes. Four paths of 4,096 bytes and as many
// of arguments with each byte escaped to six fit; of an event that has more, the
// last members of the payload are left out: the executables of ancestors first.
const EventSize = 128 << 10

// Event is the header of a struct ss_plugin_event with the two parameters of a
// plugin's event. It is packed, so what lies unaligned is bytes here. The
// payload follows.
type Event struct {
	ts   uint64
	_    uint64  // thread id
	len  uint32  // of header and payload
	_    uint16  // type
	_    [4]byte // number of parameters
	_    [4]byte // size of the first, the plugin's id
	size [4]byte // of the second, the payload
	_    [4]byte // the plugin's id
}

// Events returns the events behind writers, which were made for payloads of
// [EventSize] and stay theirs.
func Events(writers sdk.EventWriters) []*Event {
	return unsafe.Slice((**Event)(writers.ArrayPtr()), writers.Len())
}

// Put writes e behind the header that the SDK has prepared. The SDK's own
// writer copies byte by byte, which takes forty times as long.
func (v *Event) Put(e *event.Event) {
	buf := unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(v), sdk.PluginEventPayloadOffset)), EventSize)
	// Append can outgrow buf by a member that it then leaves out; copy brings
	// the payload back.
	n := uint32(copy(buf, event.Append(buf[:0], e, len(buf))))
	v.ts = e.Time
	v.len = sdk.PluginEventPayloadOffset + n
	binary.NativeEndian.PutUint32(v.size[:], n)
}
