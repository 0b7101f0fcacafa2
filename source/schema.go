// SPDX-License-Identifier: Apache-2.0

package source

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/invopop/jsonschema"
)

// Schema returns the JSON schema of init_config, from the tags of [Config] and
// the values of [Default].
func Schema() string {
	r := jsonschema.Reflector{Anonymous: true, ExpandedStruct: true, DoNotReference: true, RequiredFromJSONSchemaTags: true}
	text, err := json.Marshal(r.Reflect(&Config{}))
	if err != nil {
		panic(fmt.Sprintf("schema of init_config: %v", err)) // depends on the code alone
	}
	return string(text)
}

// JSONSchemaExtend adds to the schema what the tags cannot say: the defaults
// and the values that come from tables.
func (Config) JSONSchemaExtend(s *jsonschema.Schema) {
	c := Default()
	for key, ptr := range c.members() {
		p := s.Properties.Value(key)
		switch v := ptr.(type) {
		case *string:
			p.Default = *v
		case *[]string:
			p.Default = *v
		case *int:
			p.Default = *v
		case *bool:
			p.Default = *v
		}
	}
	ring := s.Properties.Value("ring_buffer_kib")
	ring.Minimum, ring.Maximum = numeral(minRingKiB), numeral(maxRingKiB)
	s.Properties.Value("host_root").Default = nil // depends on the environment
	s.Properties.Value("events").Items.Enum = anys(operations())
	s.Properties.Value("backend").Enum = anys(backendNames())
	s.Properties.Value("on_failure").Enum = anys([]string{Exit, Idle})
}

func numeral(n int) json.Number { return json.Number(strconv.Itoa(n)) }

func anys(list []string) []any {
	out := make([]any, len(list))
	for i := range list {
		out[i] = list[i]
	}
	return out
}
