// SPDX-License-Identifier: Apache-2.0

package road

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/falco-fim/fim/test/host"
	"github.com/falco-fim/fim/test/vm"
)

var kernels = flag.String("kernels", "6.12", "kernels to drive on, separated by commas: 5.10, 6.1, 6.12, 7.2")

// rules are what an operator could write. Their outputs are compared whole.
var rules = []host.Rule{
	{
		Name:      "written",
		Condition: "fs.op = close and fs.view_path = /opt/seen.conf and fs.host_path startswith /srv/app/ and fs.old.size = 7 and fs.size = 15",
		Output:    "written host=%fs.host_path view=%fs.view_path inode=%fs.inode dev=%fs.dev size=%fs.old.size>%fs.size watch=%fs.watch proc=%fs.proc.name",
	},
	{
		Name:      "renamed",
		Condition: "fs.op = rename and fs.old.view_path = /opt/seen/new and fs.old.inode exists",
		Output:    "renamed host=%fs.old.host_path>%fs.host_path view=%fs.old.view_path>%fs.view_path inode=%fs.inode dev=%fs.dev replaced=%fs.old.inode watch=%fs.watch proc=%fs.proc.name",
	},
}

func TestTheRulesCompile(t *testing.T) {
	for _, finding := range host.Compile(t, rules) {
		t.Errorf("%+v", finding)
	}
}

func TestAWriteThroughABindMountOfAnotherNamespaceBecomesAnAlert(t *testing.T) {
	payload := pack(t)
	for kernel := range strings.SplitSeq(*kernels, ",") {
		t.Run(kernel, func(t *testing.T) {
			t.Parallel()
			out := boot(t, kernel, payload)
			want := alerts(t, out, "whole")
			if err := compare(matches(t, out, "whole"), want); err != nil {
				t.Error(err)
			}
			// The control: were nothing to arrive, this test would fail.
			if err := compare(matches(t, out, "deaf"), want); err == nil {
				t.Error("a plugin that hears nothing passes: this test proves nothing")
			}
		})
	}
}

// boot runs the payload in a kernel and returns where its results are.
func boot(t *testing.T, kernel, payload string) string {
	t.Helper()
	dir, err := vm.DefaultDir()
	if err != nil {
		t.Fatal(err)
	}
	var console bytes.Buffer
	out := t.TempDir()
	cache := &vm.Cache{Dir: dir, Log: os.Stderr}
	r, err := cache.Run(t.Context(), vm.Options{Kernel: kernel, Payload: payload, Out: out, Console: &console, SMP: 1})
	if err != nil {
		t.Fatalf("this test boots a virtual machine, which test/vm/setup.sh sets up: %v", err)
	}
	if r.ExitCode != 0 {
		t.Fatalf("run.sh in the guest ended with %d:\n%s", r.ExitCode, console.Bytes())
	}
	return out
}

// alerts are the outputs that must come, by what stat(1) said in the guest.
func alerts(t *testing.T, out, name string) []string {
	t.Helper()
	inode, dev := map[string]uint64{}, uint64(0)
	for line := range strings.Lines(read(t, out, name+".facts")) {
		var path string
		var ino uint64
		if _, err := fmt.Sscan(line, &path, &ino, &dev); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		inode[path] = ino
	}
	return []string{
		fmt.Sprintf("written host=/srv/app/app.conf view=/opt/seen.conf inode=%d dev=%d size=7>15 watch=/srv/app proc=sh",
			inode["/srv/app/app.conf"], dev),
		fmt.Sprintf("renamed host=/srv/app/new>/srv/app/old view=/opt/seen/new>/opt/seen/old inode=%d dev=%d replaced=%d watch=/srv/app proc=mv",
			inode["/srv/app/new"], dev, inode["/srv/app/old"]),
	}
}

// matches are the outputs that came, with what the host said of itself when
// the test fails.
func matches(t *testing.T, out, name string) []string {
	t.Helper()
	var texts []string
	for d := json.NewDecoder(strings.NewReader(read(t, out, name+".jsonl"))); ; {
		var line host.Line
		if err := d.Decode(&line); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if line.Source != "" {
			texts = append(texts, line.Text)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the host with the %s plugin said: %s", name, read(t, out, name+".err"))
		}
	})
	return texts
}

func compare(got, want []string) error {
	if slices.Equal(got, want) {
		return nil
	}
	return fmt.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
