package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// ImageEvent tells of a place: image.changed (seen, or its tags or rules
// changed), image.gone (its registry no longer has it, or is out of reach),
// image.expired (its retention is over and nothing of it is kept).
type ImageEvent struct {
	Kind      Kind      `json:"-"`
	Image     Image     `json:"image"`
	Rules     []string  `json:"rules,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
	At        time.Time `json:"at"`
}

func (d ImageEvent) kind() Kind      { return d.Kind }
func (d ImageEvent) route() []string { return []string{d.Image.Registry} }
func (d ImageEvent) about() string   { return d.Image.Reference() }

func (d ImageEvent) validate() error {
	switch d.Kind {
	case ImageChanged, ImageGone, ImageExpired:
		return errors.Join(
			d.Image.validate(),
			checkEach(ValidName, "rule", d.Rules),
			check(!d.At.IsZero(), "at", ""),
		)
	default:
		return check(false, "kind", string(d.Kind))
	}
}

func decodeImageEvent(k Kind, raw []byte) (Data, error) {
	var d ImageEvent
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, fmt.Errorf("decode data: %w", err)
	}
	d.Kind = k
	return d, d.validate()
}
