// SPDX-License-Identifier: Apache-2.0

// The plugin is libfim.so: it wires package source and package extract to
// Falco and does nothing else. Build it with -buildmode=c-shared.
//
// It takes the plugin SDK's exported symbols apart from two. The SDK's
// plugin_open opens the plugin that was initialised last, but Falco keeps
// several initialised at once (one per event source, and another that checks a
// changed configuration while the old one runs), so ours opens the one that it
// is given. And the SDK has no plugin_get_metrics.
package main

/*
#include <signal.h>
#include <stdint.h>

// The Go runtime ends the process when a signal lands on the stack of a
// goroutine, unless its handler runs on the alternate stack. Falco installs
// its handlers after it has loaded the plugins, and without SA_ONSTACK.
static inline void handlers_to_alternate_stack(void)
{
	for (int sig = 1; sig <= SIGRTMAX; sig++) {
		struct sigaction sa;

		if (sigaction(sig, NULL, &sa) || sa.sa_handler == SIG_DFL ||
		    sa.sa_handler == SIG_IGN || (sa.sa_flags & SA_ONSTACK))
			continue;
		sa.sa_flags |= SA_ONSTACK;
		sigaction(sig, &sa, NULL);
	}
}
*/
import "C"

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/falcosecurity/plugin-sdk-go/pkg/cgo"
	"github.com/falcosecurity/plugin-sdk-go/pkg/sdk"
	"github.com/falcosecurity/plugin-sdk-go/pkg/sdk/plugins"
	_ "github.com/falcosecurity/plugin-sdk-go/pkg/sdk/symbols/evtstr"
	symextract "github.com/falcosecurity/plugin-sdk-go/pkg/sdk/symbols/extract"
	"github.com/falcosecurity/plugin-sdk-go/pkg/sdk/symbols/fields"
	_ "github.com/falcosecurity/plugin-sdk-go/pkg/sdk/symbols/lasterr"
	_ "github.com/falcosecurity/plugin-sdk-go/pkg/sdk/symbols/listopen"
	_ "github.com/falcosecurity/plugin-sdk-go/pkg/sdk/symbols/nextbatch"

	"github.com/falco-fim/fim/event"
	"github.com/falco-fim/fim/extract"
	"github.com/falco-fim/fim/plugin/internal/abi"
	"github.com/falco-fim/fim/source"
)

const (
	// pluginID lies in the range for private use. It is written into captures,
	// so it never changes.
	pluginID = 0x66696d00 // "fim"

	batchSize = 128 // events
	// patience is how long an idle next_batch waits: Falco looks at its own
	// signals between two calls.
	patience = 30 * time.Millisecond
)

// version is set by the linker: -X main.version=1.2.3. Falco wants three
// numbers.
var version = "0.0.0"

func main() {}

func init() {
	// Asynchronous extraction costs more than the calls it saves, most of all
	// when the processors are busy.
	symextract.SetAsync(false)
	fields.SetFields(fieldEntries())
	// The SDK's Register functions stay out. That of source brings plugin_open;
	// that of extractor counts plugins for asynchronous extraction, and panics
	// when one whose Init failed is destroyed beside a good one.
	plugins.SetFactory(func() plugins.Plugin { return &plugin{} })
}

func fieldEntries() []sdk.FieldEntry {
	var entries []sdk.FieldEntry
	for _, f := range extract.Fields() {
		entries = append(entries, sdk.FieldEntry{
			Name: f.Name, Type: string(f.Type), IsList: f.List, Desc: f.Desc,
			Arg: sdk.FieldEntryArg{IsRequired: f.Index, IsIndex: f.Index},
		})
	}
	return entries
}

// plugin is one initialised plugin, of which a process may hold many.
type plugin struct {
	plugins.BasePlugin
	config    source.Config
	extractor extract.Extractor
	// stream is the one opened last, also when it is closed since: metrics are
	// asked for by other threads and after the end.
	stream  atomic.Pointer[source.Stream]
	metrics *abi.Metrics
}

func (*plugin) Info() *plugins.Info {
	return &plugins.Info{
		ID:          pluginID,
		Name:        "fim",
		EventSource: "fs",
		Description: "File integrity monitoring: who changed which file on this host, by whatever name, mount or container",
		Contact:     "github.com/falco-fim/fim",
		Version:     version,
	}
}

func (*plugin) InitSchema() *sdk.SchemaInfo { return &sdk.SchemaInfo{Schema: source.Schema()} }

// Init reads the configuration and touches nothing else: Falco runs it for
// --list, dry runs and reload checks too, beside the plugin that is live.
func (p *plugin) Init(config string) (err error) {
	defer guard("init", &err)
	if p.config, err = source.ParseConfig([]byte(config)); err != nil {
		return err
	}
	p.metrics = abi.NewMetrics()
	return nil
}

// Destroy frees what the SDK does not.
func (p *plugin) Destroy() {
	p.OpenParamsBuffer().Free()
	p.metrics.Free()
	p.metrics = nil
}

// LastError never returns nil, which the SDK's plugin_get_last_error would
// dereference.
func (p *plugin) LastError() error {
	if err := p.BasePlugin.LastError(); err != nil {
		return err
	}
	return errors.New("no error")
}

func (*plugin) OpenParams() (params []sdk.OpenParam, err error) {
	return []sdk.OpenParam{{
		Value: "",
		Desc:  "live events; file:///absolute/path.jsonl replays what fim watch --format json wrote",
	}}, nil
}

func (p *plugin) Extract(req sdk.ExtractRequest, evt sdk.EventReader) (err error) {
	defer guard("extract", &err)
	return p.extractor.Extract(req, evt)
}

// String is the field evt.plugininfo.
func (p *plugin) String(evt sdk.EventReader) (text string, err error) {
	defer guard("event_to_string", &err)
	return p.extractor.Line(evt)
}

// open starts a capture.
func (p *plugin) open(params string) (h cgo.Handle, err error) {
	defer guard("open", &err)
	C.handlers_to_alternate_stack()
	stream, err := source.Open(p.config, params)
	if err != nil {
		return 0, err
	}
	c := &capture{stream: stream}
	events, err := sdk.NewEventWriters(batchSize, abi.EventSize)
	if err != nil {
		return 0, errors.Join(err, stream.Close())
	}
	c.SetEvents(events)
	p.stream.Store(stream)
	return cgo.NewHandle(c), nil
}

// snapshot brings the metrics up to date and returns how many there are: none
// before the first capture, or when they cannot be read.
func (p *plugin) snapshot() (n uint32) {
	var err error
	defer guard("get_metrics", &err)
	if stream := p.stream.Load(); stream != nil {
		n = uint32(p.metrics.Put(stream.Stats()))
	}
	return n
}

// capture is an open stream of events.
type capture struct {
	plugins.BaseEvents
	stream *source.Stream
	event  event.Event
	err    error // that ended the stream
}

// longAgo is the deadline of who wants what there is and does not wait.
var longAgo = time.Unix(1, 0)

// NextBatch waits a little for a first event and adds those that are there
// already. Events go out with ErrTimeout and ErrEOF; any other error ends
// Falco, so the events before it go out first.
func (c *capture) NextBatch(_ sdk.PluginState, batch sdk.EventWriters) (n int, err error) {
	defer guard("next_batch", &err)
	events := abi.Events(batch)
	deadline := time.Now().Add(patience)
	for c.err == nil && n < len(events) {
		err := c.stream.Next(&c.event, deadline)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return n, sdk.ErrTimeout
		}
		if err != nil {
			c.err = err
			break
		}
		events[n].Put(&c.event)
		n++
		deadline = longAgo
	}
	if errors.Is(c.err, io.EOF) {
		return n, sdk.ErrEOF
	}
	if n == 0 {
		return 0, c.err
	}
	return n, nil
}

// guard turns a panic into an error: one that left Go would end the host, and
// every other source of events with it.
func guard(what string, err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%s: internal error, please report it: %v\n%s", what, r, debug.Stack())
	}
}

// of returns what the framework's handle stands for, as a T.
func of[T any](handle C.uintptr_t) (v T, err error) {
	defer guard("handle", &err)
	v, ok := cgo.Handle(handle).Value().(T)
	if !ok {
		err = fmt.Errorf("handle %d is no %T", handle, v)
	}
	return v, err
}

//export plugin_open
func plugin_open(state C.uintptr_t, params *C.char, rc *int32) C.uintptr_t {
	*rc = sdk.SSPluginFailure
	p, err := of[*plugin](state)
	if err != nil {
		return 0
	}
	h, err := p.open(C.GoString(params))
	if err != nil {
		p.SetLastError(err)
		return 0
	}
	*rc = sdk.SSPluginSuccess
	return C.uintptr_t(h)
}

//export plugin_close
func plugin_close(_, handle C.uintptr_t) {
	c, err := of[*capture](handle)
	if err != nil {
		return
	}
	cgo.Handle(handle).Delete()
	c.close()
}

// close ends the capture. Nobody can be told of an error any more but people.
func (c *capture) close() {
	var err error
	defer func() {
		if err != nil {
			fmt.Fprintln(os.Stderr, "fim: close:", err)
		}
	}()
	defer guard("close", &err)
	c.Events().Free()
	c.SetEvents(nil)
	err = c.stream.Close()
}

//export plugin_get_metrics
func plugin_get_metrics(state C.uintptr_t, num *uint32) unsafe.Pointer {
	*num = 0
	p, err := of[*plugin](state)
	if err != nil {
		return nil
	}
	*num = p.snapshot()
	return unsafe.Pointer(p.metrics)
}
