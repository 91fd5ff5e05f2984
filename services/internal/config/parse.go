package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// MaxSize is the largest document Parse reads, in bytes.
const MaxSize = 1 << 20

// Known names objects that exist outside a document, so that references to
// them can be checked. A nil list means nothing is known about that kind:
// references are then checked only when the document has objects of the kind.
type Known struct {
	Registries  []string
	Credentials []string
}

// Parse reads a configuration document, at most [MaxSize] bytes of YAML. name
// is what mistakes call it. The error joins one [Mistake] for everything that
// is wrong; [Mistakes] lists them.
func Parse(name string, data []byte) (Document, error) { return ParseWith(name, data, Known{}) }

// ParseWith is Parse with what is known outside the document.
func ParseWith(name string, data []byte, known Known) (Document, error) {
	var d Document
	c := newChecker(name)
	if c.read(data, &d) {
		c.document(d, known)
	}
	if err := c.err(); err != nil {
		return Document{}, err
	}
	return d, nil
}

// DecodeRegistry reads one registry from JSON, as strictly as Parse.
func DecodeRegistry(data []byte) (Registry, error) {
	var r Registry
	c := newChecker("")
	if c.readJSON(data, &r) {
		c.registry("", r)
	}
	if err := c.err(); err != nil {
		return Registry{}, err
	}
	return r, nil
}

// DecodeRule reads one rule from JSON, as strictly as Parse.
func DecodeRule(data []byte) (Rule, error) {
	var r Rule
	c := newChecker("")
	if c.readJSON(data, &r) {
		c.rule("", r)
	}
	if err := c.err(); err != nil {
		return Rule{}, err
	}
	return r, nil
}

// readJSON is read for what must be JSON, which is YAML, too.
func (c *checker) readJSON(data []byte, into any) bool {
	if len(data) <= MaxSize && !json.Valid(data) {
		c.add("", "is not JSON", "")
		return false
	}
	return c.read(data, into)
}

// read decodes one document and reports whether its values may be looked at.
func (c *checker) read(data []byte, into any) bool {
	if len(data) > MaxSize {
		c.add("", fmt.Sprintf("is %d bytes long, more than %d", len(data), MaxSize), "")
		return false
	}
	var root yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	switch err := dec.Decode(&root); {
	case errors.Is(err, io.EOF):
		return true // nothing but comments
	case err != nil:
		c.syntax(err)
		return false
	}
	var more yaml.Node
	if err := dec.Decode(&more); err == nil {
		c.addAt(more.Line, "", "a second document", "leave out everything from the second --- on")
	} else if !errors.Is(err, io.EOF) {
		c.syntax(err)
	}
	if len(root.Content) == 1 {
		c.decode("", root.Content[0], reflect.ValueOf(into).Elem())
	}
	return true
}

// yamlLine is how the YAML library says where.
var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

func (c *checker) syntax(err error) {
	text, line := err.Error(), 0
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
	}
	c.addAt(line, "", "is not YAML: "+text, "")
}
