// SPDX-License-Identifier: Apache-2.0

package abi

// #include <stdlib.h>
import "C"

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/falco-fim/fim/source"
)

const (
	maxMetrics = 512 // more than a source has counters

	monotonic = 0 // SS_PLUGIN_METRIC_TYPE_MONOTONIC
	isU64     = 2 // SS_PLUGIN_METRIC_VALUE_TYPE_U64
)

// metric is a struct ss_plugin_metric.
type metric struct {
	name      uintptr // C string
	kind      uint32
	value     uint64
	valueType uint32
}

// Metrics is the array that plugin_get_metrics returns, in C memory.
type Metrics [maxMetrics]metric

// NewMetrics allocates an array; Free releases it.
func NewMetrics() *Metrics {
	return (*Metrics)(C.calloc(1, C.size_t(unsafe.Sizeof(Metrics{}))))
}

// Free releases the array. A nil array is fine.
func (m *Metrics) Free() { C.free(unsafe.Pointer(m)) }

// Put writes the counters and returns how many there are. Falco asks from two
// threads at once, so nothing may ever be seen half written.
func (m *Metrics) Put(counters []source.Counter) int {
	counters = counters[:min(len(counters), maxMetrics)]
	for i, c := range counters {
		atomic.StoreUintptr(&m[i].name, cName(c.Name))
		atomic.StoreUint32(&m[i].kind, monotonic)
		atomic.StoreUint64(&m[i].value, c.Value)
		atomic.StoreUint32(&m[i].valueType, isU64)
	}
	return len(counters)
}

// names holds a C string for each name of a counter, for good: there are few.
var names = struct {
	sync.Mutex
	of map[string]uintptr
}{of: make(map[string]uintptr)}

func cName(name string) uintptr {
	names.Lock()
	defer names.Unlock()
	if names.of[name] == 0 {
		names.of[name] = uintptr(unsafe.Pointer(C.CString(name)))
	}
	return names.of[name]
}
