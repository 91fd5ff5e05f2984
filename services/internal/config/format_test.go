package config

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Format writes a document, or a part of one, as YAML that Parse reads.
func Format(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("format configuration: %w", err)
	}
	var n yaml.Node // JSON is YAML: its tree keeps the order and the names of the tags
	if err := yaml.Unmarshal(raw, &n); err != nil {
		return nil, fmt.Errorf("format configuration: %w", err)
	}
	plain(&n)
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(&n); err != nil {
		return nil, fmt.Errorf("format configuration: %w", err)
	}
	return b.Bytes(), nil
}

// plain lets the encoder choose how each value looks.
func plain(n *yaml.Node) {
	n.Style = 0
	for _, child := range n.Content {
		plain(child)
	}
}
