// SPDX-License-Identifier: Apache-2.0

package source

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/falco-fim/fim/watch"
)

func TestNoConfigurationIsTheDefaults(t *testing.T) {
	t.Setenv("HOST_ROOT", "")
	for _, text := range []string{"", " \n", "{}"} {
		c, err := ParseConfig([]byte(text))
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if !reflect.DeepEqual(c, Default()) {
			t.Errorf("%q: got %+v", text, c)
		}
	}
	if c := Default(); c.HostRoot != "/" || !slices.Equal(c.Watch, DefaultWatch) {
		t.Errorf("defaults are %+v", c)
	}
}

func TestEachDefaultPatternCompilesByItself(t *testing.T) {
	for _, p := range patterns(DefaultWatch) {
		if _, err := watch.Compile(watch.Options{Include: []watch.Pattern{p}}); err != nil {
			t.Error(err)
		}
	}
}

func TestTheHostRootIsTakenFromTheEnvironmentUnlessConfigured(t *testing.T) {
	t.Setenv("HOST_ROOT", "/host")
	for text, want := range map[string]string{`{}`: "/host", `{"host_root":"/mnt/host"}`: "/mnt/host"} {
		if c, err := ParseConfig([]byte(text)); err != nil || c.HostRoot != want {
			t.Errorf("%s: host root %q, error %v; want %q", text, c.HostRoot, err, want)
		}
	}
}

func TestEachKeyReplacesItsDefault(t *testing.T) {
	c, err := ParseConfig([]byte(`{"watch":["/w"],"exclude":["/w/x"],"events":["open","rename"],"failed":true,"containers":true,"follow":true,
		"backend":"fanotify","ring_buffer_kib":64,"host_root":"/","on_failure":"idle"}`))
	want := Config{
		Watch: []string{"/w"}, Exclude: []string{"/w/x"}, Events: []string{"open", "rename"}, Failed: true, Containers: true, Follow: true,
		Backend: "fanotify", RingBufferKiB: 64, HostRoot: "/", OnFailure: "idle",
	}
	if err != nil || !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v, error %v", c, err)
	}
}

// Each row is what a person, or Falco's YAML reader on the person's behalf,
// gets wrong, and the words that the error must hold.
func TestAConfigurationErrorNamesKeyAndValueAndWhatIsRight(t *testing.T) {
	t.Setenv("HOST_ROOT", "")
	for name, row := range map[string]struct {
		text string
		want []string
	}{
		"an unknown key":                       {`{"colour":1}`, []string{`unknown key "colour"`, "value 1", "watch"}},
		"a misspelled key":                     {`{"exlude":["/a"]}`, []string{`"exlude"`, `["/a"]`, `did you mean "exclude"`}},
		"a key in capitals":                    {`{"Watch":["/a"]}`, []string{`"Watch"`, `did you mean "watch"`}},
		"a key twice":                          {`{"watch":["/a"],"watch":["/b"]}`, []string{`"watch"`, "twice"}},
		"a member that is no key":              {`{"Direct":true}`, []string{`unknown key "Direct"`}},
		"a list instead of a map":              {`["/etc"]`, []string{"a list", "want a map"}},
		"a string instead of a map":            {`"/etc"`, []string{`"/etc"`, "want a map"}},
		"text that is not JSON":                {`watch: /etc`, []string{"not JSON"}},
		"text that ends early":                 {`{"watch":["/etc"`, []string{`"watch"`, "not JSON"}},
		"text behind the end":                  {`{} {}`, []string{"after the closing brace"}},
		"a lone string for a list":             {`{"watch":"/etc"}`, []string{"watch", `"/etc" is a string`, `["/etc"]`}},
		"a key without a value":                {`{"watch":null}`, []string{"watch", "null", "want a list"}},
		"a number that YAML made of a name":    {`{"watch":["/etc",123]}`, []string{"watch[1]", "123 is a number", "even in quotes"}},
		"a large number":                       {`{"watch":[2147483648.0]}`, []string{"watch[0]", "2147483648.0 is a number"}},
		"a boolean that YAML made of yes":      {`{"on_failure":true}`, []string{"on_failure", "true is a boolean", "even in quotes"}},
		"an octal number for a path":           {`{"host_root":420}`, []string{"host_root", "420 is a number"}},
		"a string for a number":                {`{"ring_buffer_kib":"4096"}`, []string{"ring_buffer_kib", "a string", "whole number"}},
		"a part of a KiB":                      {`{"ring_buffer_kib":4096.5}`, []string{"ring_buffer_kib", "4096.5", "whole number"}},
		"a number beyond all":                  {`{"ring_buffer_kib":99999999999999999999}`, []string{"ring_buffer_kib", "whole number"}},
		"a ring that holds nothing":            {`{"ring_buffer_kib":0}`, []string{"ring_buffer_kib", "0 is out of bounds", "64 to 1048576"}},
		"a ring below nothing":                 {`{"ring_buffer_kib":-1}`, []string{"ring_buffer_kib", "-1 is out of bounds"}},
		"a ring beyond memory":                 {`{"ring_buffer_kib":1048577}`, []string{"ring_buffer_kib", "1048577", "4096 is the default"}},
		"a word for a truth":                   {`{"failed":"yes"}`, []string{"failed", `"yes" is a string`, "true or false"}},
		"a number for a truth":                 {`{"failed":1}`, []string{"failed", "1 is a number", "true or false"}},
		"a truth left out":                     {`{"failed":null}`, []string{"failed", "null", "true or false"}},
		"a map for a string":                   {`{"backend":{"name":"ebpf"}}`, []string{"backend", "a map", "want a string"}},
		"a list in a list":                     {`{"exclude":[["/a"]]}`, []string{"exclude[0]", "a list", "want a string"}},
		"an empty watch list":                  {`{"watch":[]}`, []string{"watch", "empty", "default"}},
		"an empty event list":                  {`{"events":[]}`, []string{"events", "empty", "default"}},
		"an unknown operation":                 {`{"events":["create","delete"]}`, []string{"events[1]", `"delete"`, "unlink"}},
		"a misspelled operation":               {`{"events":["renam"]}`, []string{`"renam"`, `did you mean "rename"`}},
		"loss, which is always reported":       {`{"events":["lost"]}`, []string{"events[0]", `"lost"`, "always"}},
		"an unknown backend":                   {`{"backend":"inotify"}`, []string{"backend", `"inotify"`, "auto, ebpf, fanotify"}},
		"an unknown reaction to failure":       {`{"on_failure":"retry"}`, []string{"on_failure", `"retry"`, "exit, idle"}},
		"a relative pattern":                   {`{"watch":["etc/passwd"]}`, []string{"watch", "etc/passwd"}},
		"a relative exclude":                   {`{"exclude":["*.swp"]}`, []string{"exclude", "*.swp"}},
		"the whole host":                       {`{"watch":["/"]}`, []string{"watch", `"/"`}},
		"a home directory that no shell fills": {`{"watch":["~/.ssh"]}`, []string{"watch", "~/.ssh"}},
		"an empty pattern":                     {`{"watch":[""]}`, []string{"watch"}},
		"a relative host root":                 {`{"host_root":"host"}`, []string{"host_root", `"host"`, "absolute"}},
		"two mistakes at once":                 {`{"wach":[],"events":[1]}`, []string{`"wach"`, "events[0]"}},
		"two wrong values at once":             {`{"backend":"x","on_failure":"y"}`, []string{`"x"`, `"y"`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseConfig([]byte(row.text))
			if err == nil {
				t.Fatalf("%s was accepted", row.text)
			}
			for _, want := range append(row.want, "init_config") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%s\nhas the error %v\nwithout %s", row.text, err, want)
				}
			}
		})
	}
}

func TestAttribStandsForEveryChangeOfAttributesOnceEach(t *testing.T) {
	const every = "chmod chown utimes setxattr removexattr setacl chattr attrib"
	for events, want := range map[string]string{
		"attrib":                            every,
		"attrib,chmod,create":               "create " + every,
		"chown,chmod":                       "chmod chown",
		"truncate,open,exec":                "open truncate exec",
		strings.Join(Default().Events, ","): "create modify close truncate mmap rename link symlink unlink mkdir rmdir mknod " + every + " mount umount",
	} {
		c := Config{Events: strings.Split(events, ",")}
		if err := validateEvents(c.Events); err != nil {
			t.Error(err)
		}
		if got := strings.Join(operationNames(c.ops()), " "); got != want {
			t.Errorf("%s: got %s, want %s", events, got, want)
		}
	}
}

func TestFiveThousandPatternsAreFine(t *testing.T) {
	c := Default()
	c.Watch = nil
	for i := range 5000 {
		c.Watch = append(c.Watch, fmt.Sprintf("/srv/%d/config.d", i))
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestTheSchemaHasADescriptionAndADefaultForEachKey(t *testing.T) {
	var schema struct {
		Type                 string
		AdditionalProperties any
		Properties           map[string]struct {
			Type, Description string
			Default           any
			Enum              []any
			Items             struct{ Enum []any }
		}
	}
	if err := json.Unmarshal([]byte(Schema()), &schema); err != nil {
		t.Fatal(err)
	}
	c := Default()
	members := c.members()
	if len(members) != len(schema.Properties) || schema.AdditionalProperties != false {
		t.Errorf("schema is not that of the configuration: %s", Schema())
	}
	for key := range members {
		p := schema.Properties[key]
		if p.Type == "" || p.Description == "" || (p.Default == nil && key != "host_root") {
			t.Errorf("key %s has type %q, description %q, default %v", key, p.Type, p.Description, p.Default)
		}
	}
	if got := len(schema.Properties["events"].Items.Enum); got != len(operations()) {
		t.Errorf("schema knows %d operations, want %d", got, len(operations()))
	}
	if got := len(schema.Properties["backend"].Enum); got != len(backends)+1 {
		t.Errorf("schema knows %d backends, want %d", got, len(backends)+1)
	}
}

func TestTheSchemaDoesNotDependOnTheEnvironment(t *testing.T) {
	t.Setenv("HOST_ROOT", "/one")
	one := Schema()
	t.Setenv("HOST_ROOT", "/two")
	if one != Schema() {
		t.Error("schema changed with HOST_ROOT")
	}
}

func TestAWarningCannotForgeALine(t *testing.T) {
	var buf bytes.Buffer
	c := Config{Log: log.New(&buf, "", 0)}
	c.logf("watch %s", "/a\nfim: all is well\x1b[2J")
	if got, want := buf.String(), "watch /a\\x0afim: all is well\\x1b[2J\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(`{"watch":["/etc"],"exclude":[],"events":["create"],"failed":false,"backend":"auto","host_root":"/","on_failure":"exit"}`))
	f.Add([]byte(`{"watch":[1,null,{}]}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := ParseConfig(text)
		if err == nil && c.Validate() != nil {
			t.Errorf("%q was accepted but is not valid: %v", text, c.Validate())
		}
	})
}
