package config

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

const secretHint = "write {env: NAME} or {file: NAME}; a secret never stands in a document" //nolint:gosec // a message

// decode fills a value from a node, by the names of the JSON tags. Values that
// are wrong stay zero and are noted.
func (c *checker) decode(path string, n *yaml.Node, v reflect.Value) {
	c.lines[path] = n.Line
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		c.unread[path] = true
		c.addAt(n.Line, path, "anchors and aliases are not used here", "write the value out")
		return
	}
	if n.ShortTag() == "!!null" {
		return
	}
	if v.Type() == reflect.TypeFor[SecretRef]() && n.Kind != yaml.MappingNode {
		c.addAt(n.Line, path, "is not a reference to a secret", secretHint)
		return
	}
	if text, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok {
		c.text(path, n, text)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		c.decode(path, n, v.Elem())
	case reflect.Struct:
		c.object(path, n, v)
	case reflect.Slice:
		c.list(path, n, v)
	case reflect.Map:
		c.dictionary(path, n, v)
	default:
		c.scalar(path, n, v)
	}
}

func (c *checker) text(path string, n *yaml.Node, into encoding.TextUnmarshaler) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		c.addAt(n.Line, path, "is not text: "+describe(n), "write a number with its unit, as 30d or 12h")
		return
	}
	if err := into.UnmarshalText([]byte(n.Value)); err != nil {
		hint := "as 30d, 12h or 1d12h"
		if own, has := into.(interface{ hint() string }); has {
			hint = own.hint()
		}
		c.addAt(n.Line, path, err.Error(), hint)
	}
}

func (c *checker) object(path string, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		c.unread[path] = true
		c.addAt(n.Line, path, "is "+describe(n)+" where keys and values are expected", "")
		return
	}
	fields := map[string]int{}
	var names []string
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		fields[name] = i
		names = append(names, name)
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := sub(path, key.Value)
		field, ok := fields[key.Value]
		switch {
		case !ok || key.Kind != yaml.ScalarNode:
			c.addAt(key.Line, path, fmt.Sprintf("unknown key %q", short(key.Value)), nearestHint(key.Value, names))
		case seen[key.Value] > 0:
			c.addAt(key.Line, at, fmt.Sprintf("is given twice, first in line %d", seen[key.Value]), "")
		default:
			seen[key.Value] = key.Line
			c.decode(at, value, v.Field(field))
		}
	}
}

// dictionary decodes texts under keys that are the user's own.
func (c *checker) dictionary(path string, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		c.unread[path] = true
		c.addAt(n.Line, path, "is "+describe(n)+" where keys and values are expected", "")
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], reflect.New(v.Type().Elem()).Elem()
		at := sub(path, key.Value)
		name := reflect.ValueOf(key.Value)
		switch {
		case key.Kind != yaml.ScalarNode:
			c.addAt(key.Line, path, "has a key that is "+describe(key), "write a text")
		case v.MapIndex(name).IsValid():
			c.addAt(key.Line, at, "is given twice", "")
		default:
			c.decode(at, n.Content[i+1], value)
			v.SetMapIndex(name, value)
		}
	}
}

func (c *checker) list(path string, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		c.addAt(n.Line, path, "is "+describe(n)+" where a list is expected", "write [a, b]")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		if item.ShortTag() == "!!null" {
			c.addAt(item.Line, at, "is empty", "")
			continue
		}
		c.decode(at, item, v.Index(i))
	}
}

func (c *checker) scalar(path string, n *yaml.Node, v reflect.Value) {
	want, hint, tags := "text", `put it in quotes`, []string{"!!str"}
	switch v.Kind() {
	case reflect.Bool:
		want, hint, tags = "true or false", "", []string{"!!bool"}
	case reflect.Int:
		want, hint, tags = "a whole number", "", []string{"!!int"}
	case reflect.Float64:
		want, hint, tags = "a number", "", []string{"!!int", "!!float"}
	default:
	}
	ok := false
	for _, tag := range tags {
		ok = ok || n.Kind == yaml.ScalarNode && n.ShortTag() == tag
	}
	if n.Kind != yaml.ScalarNode {
		hint = ""
	}
	if !ok || n.Decode(v.Addr().Interface()) != nil {
		c.addAt(n.Line, path, "is "+describe(n)+" where "+want+" is expected", hint)
		return
	}
	if v.Kind() == reflect.Float64 && (math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0)) {
		c.addAt(n.Line, path, "is not a finite number", "")
		v.SetZero()
	}
}

// describe names what stands in a node.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a group of keys"
	case yaml.SequenceNode:
		return "a list"
	default:
	}
	switch n.ShortTag() {
	case "!!str":
		return fmt.Sprintf("the text %q", short(n.Value))
	case "!!int", "!!float":
		return "the number " + short(n.Value)
	}
	return fmt.Sprintf("%q", short(n.Value))
}

// short keeps a message readable whatever stands in the document.
func short(s string) string {
	const most = 60
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}
