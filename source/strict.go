// SPDX-License-Identifier: Apache-2.0

package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// decodeStrict sets the members of c that text, a JSON object, names. Unlike
// [json.Unmarshal] it refuses unknown and repeated keys and null, wants keys in
// their exact case, and reports everything that is wrong at once.
func decodeStrict(text []byte, c *Config) error {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	object, err := readObject(text)
	if err != nil {
		return err
	}
	members := c.members()
	var wrong []error
	for _, kv := range object {
		ptr, ok := members[kv.key]
		if !ok {
			known := keysOf(members)
			wrong = append(wrong, fmt.Errorf("unknown key %q with value %s%s: known keys are %s",
				kv.key, short(kv.value), didYouMean(kv.key, known), strings.Join(known, ", ")))
			continue
		}
		wrong = append(wrong, decodeValue(kv.key, kv.value, ptr))
	}
	return errors.Join(wrong...)
}

// keyValue is one member of a JSON object, in the order of the text.
type keyValue struct {
	key   string
	value json.RawMessage
}

// readObject splits a JSON object into its members; a key that stands there
// twice is an error, because the reader cannot know which one was meant.
func readObject(text []byte) ([]keyValue, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if tok, err := d.Token(); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	} else if tok != json.Delim('{') {
		return nil, fmt.Errorf("%s is %s: want a map of keys such as watch and exclude", short(text), kind(text))
	}
	var object []keyValue
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("not JSON: %w", err)
		}
		kv := keyValue{key: key.(string)} // a key that is no string is an error of Token
		if err := d.Decode(&kv.value); err != nil {
			return nil, fmt.Errorf("key %q: not JSON: %w", kv.key, err)
		}
		if slices.ContainsFunc(object, func(o keyValue) bool { return o.key == kv.key }) {
			return nil, fmt.Errorf("key %q stands there twice: keep one", kv.key)
		}
		object = append(object, kv)
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("not JSON: text after the closing brace")
	}
	return object, nil
}

// members maps each key of the configuration to a pointer to its value.
func (c *Config) members() map[string]any {
	m := map[string]any{}
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		if key := v.Type().Field(i).Tag.Get("json"); key != "-" {
			m[key] = v.Field(i).Addr().Interface()
		}
	}
	return m
}

func keysOf(members map[string]any) []string {
	var keys []string
	for key := range members {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func decodeValue(key string, value json.RawMessage, ptr any) error {
	switch p := ptr.(type) {
	case *string:
		return decodeString(key, value, p)
	case *[]string:
		return decodeList(key, value, p)
	case *int:
		return decodeInt(key, value, p)
	case *bool:
		return decodeBool(key, value, p)
	}
	panic(fmt.Sprintf("key %q: no decoder for %T", key, ptr))
}

func decodeList(key string, value json.RawMessage, p *[]string) error {
	var items []json.RawMessage
	if kind(value) != "a list" || json.Unmarshal(value, &items) != nil {
		return fmt.Errorf("%s: %s is %s: want a list of strings, such as [%s]", key, short(value), kind(value), orElement(value))
	}
	list := make([]string, len(items))
	for i, item := range items {
		if err := decodeString(fmt.Sprintf("%s[%d]", key, i), item, &list[i]); err != nil {
			return err
		}
	}
	*p = list
	return nil
}

// orElement shows a lone string as the element that it was probably meant to
// be.
func orElement(value json.RawMessage) string {
	if kind(value) == "a string" {
		return short(value)
	}
	return `"…", "…"`
}

// decodeString explains what Falco does to scalars on the way here: its YAML
// reader gives them the first of integer, number and boolean that fits, quoted
// or not.
func decodeString(key string, value json.RawMessage, p *string) error {
	switch k := kind(value); k {
	case "a string":
		return json.Unmarshal(value, p)
	case "a number", "a boolean":
		return fmt.Errorf("%s: %s is %s: want a string (Falco reads a scalar that looks like a number, yes or no as one, even in quotes)", key, short(value), k)
	default:
		return fmt.Errorf("%s: %s is %s: want a string", key, short(value), k)
	}
}

// decodeInt takes whole numbers only, as JSON writes them.
func decodeInt(key string, value json.RawMessage, p *int) error {
	if k := kind(value); k != "a number" {
		return fmt.Errorf("%s: %s is %s: want a whole number", key, short(value), k)
	}
	n, err := strconv.Atoi(string(bytes.TrimSpace(value)))
	if err != nil {
		return fmt.Errorf("%s: %s is no whole number, or too large: want one such as %d", key, short(value), *p)
	}
	*p = n
	return nil
}

func decodeBool(key string, value json.RawMessage, p *bool) error {
	if k := kind(value); k != "a boolean" {
		return fmt.Errorf("%s: %s is %s: want true or false", key, short(value), k)
	}
	return json.Unmarshal(value, p)
}

// kind names the type of a JSON value by its first byte.
func kind(value []byte) string {
	value = bytes.TrimSpace(value)
	switch value[0] {
	case '"':
		return "a string"
	case '[':
		return "a list"
	case '{':
		return "a map"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null (a key without a value)"
	}
	return "a number"
}

// short is a value as an error shows it: on one line, and not all of it.
func short(value []byte) string {
	const most = 60
	var line bytes.Buffer
	if json.Compact(&line, value) == nil {
		value = line.Bytes()
	}
	if len(value) > most {
		return strings.ToValidUTF8(string(value[:most]), "") + "…"
	}
	return string(value)
}
