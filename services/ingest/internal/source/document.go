package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"gopkg.in/yaml.v3"
)

// Limits of a document that is asked queries. As nodes a body takes up to a
// hundred times its size, and a query may descend into every one of them.
const (
	documentValues = 50_000
	documentDepth  = 64
)

// document is a JSON body in the form that JSONPath queries are asked of. The
// nodes are made here and not by a YAML parser: YAML means other things by the
// same text, and has aliases that make much of little.
func document(body []byte) (*yaml.Node, error) {
	if !json.Valid(body) {
		return nil, errors.New("decode body: not valid JSON")
	}
	d := reader{tokens: json.NewDecoder(bytes.NewReader(body)), left: documentValues}
	d.tokens.UseNumber()
	n, err := d.node(documentDepth)
	if err != nil {
		return nil, fmt.Errorf("decode body: %w", err)
	}
	return n, nil
}

// reader makes nodes of valid JSON.
type reader struct {
	tokens *json.Decoder
	left   int // values that may still follow
}

func (d *reader) node(depth int) (*yaml.Node, error) {
	d.left--
	if d.left < 0 {
		return nil, fmt.Errorf("more than %d values", documentValues)
	}
	if depth == 0 {
		return nil, fmt.Errorf("nested more than %d deep", documentDepth)
	}
	token, err := d.tokens.Token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case json.Delim:
		if v == '{' {
			return d.inside(&yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}, depth)
		}
		return d.inside(&yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}, depth)
	case string:
		return scalar("!!str", v), nil
	case json.Number:
		return number(v.String()), nil
	case bool:
		return scalar("!!bool", strconv.FormatBool(v)), nil
	default:
		return scalar("!!null", ""), nil
	}
}

// inside reads what a container holds, names and values in turn where it is an
// object, and its end.
func (d *reader) inside(n *yaml.Node, depth int) (*yaml.Node, error) {
	for d.tokens.More() {
		child, err := d.node(depth - 1)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, child)
	}
	_, err := d.tokens.Token()
	return n, err
}

// number is a node that compares as what it is; what fits no int is a float.
func number(s string) *yaml.Node {
	if _, err := strconv.Atoi(s); err == nil {
		return scalar("!!int", s)
	}
	return scalar("!!float", s)
}

func scalar(tag, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
}
