// SPDX-License-Identifier: Apache-2.0

package stress_test

import (
	"debug/elf"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// newestGlibc is the minor version of the oldest glibc 2 that runs the
// library: that of Debian 12's toolchain, since pthread_create moved into libc.
const newestGlibc = 34

func open(t *testing.T) *elf.File {
	f, err := elf.Open(library)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestTheLibraryNeedsNoNewerGlibcThanPromised(t *testing.T) {
	symbols, err := open(t).ImportedSymbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range symbols {
		minor, ok := strings.CutPrefix(s.Version, "GLIBC_2.")
		if !ok {
			continue
		}
		minor, _, _ = strings.Cut(minor, ".")
		if n, err := strconv.Atoi(minor); err != nil || n > newestGlibc {
			t.Errorf("%s needs %s", s.Name, s.Version)
		}
	}
}

func TestTheLibraryExportsWhatThePluginAPICallsFor(t *testing.T) {
	exported := exports(t)
	known := apiNames(t)
	for name := range exported {
		if !known[name] && name != "plugin_extract_fields_sync" { // the SDK's own
			t.Errorf("%s: the plugin API knows no such function", name)
		}
	}
	for _, name := range []string{
		"get_required_api_version", "get_init_schema", "init", "destroy", "get_last_error",
		"get_name", "get_description", "get_contact", "get_version", "get_metrics",
		"get_id", "get_event_source", "open", "close", "list_open_params", "next_batch", "event_to_string",
		"get_fields", "extract_fields", "get_extract_event_types", "get_extract_event_sources",
	} {
		if !exported["plugin_"+name] {
			t.Errorf("plugin_%s is not exported", name)
		}
	}
}

// exports returns the functions of the library that a plugin's host may see.
func exports(t *testing.T) map[string]bool {
	symbols, err := open(t).DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, s := range symbols {
		if s.Section != elf.SHN_UNDEF && strings.HasPrefix(s.Name, "plugin_") {
			names[s.Name] = true
		}
	}
	return names
}

// apiNames returns what the members of the plugin API's table are called when
// a library exports them.
func apiNames(t *testing.T) map[string]bool {
	dir, err := sdk()
	if err != nil {
		t.Fatal(err)
	}
	header, err := os.ReadFile(filepath.Join(dir, "plugin_api.h"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(header), "// Plugins API vtable")
	names := make(map[string]bool)
	for _, match := range regexp.MustCompile(`\(\*(\w+)\)\(`).FindAllStringSubmatch(table, -1) {
		names["plugin_"+match[1]] = true
	}
	return names
}
