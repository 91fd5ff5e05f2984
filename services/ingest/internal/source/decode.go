package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// decodeMost decodes an object. A member of the wrong type is left blank and
// spoils nothing else; what is no object at all is an error.
func decodeMost(raw []byte, into any) error {
	err := json.Unmarshal(raw, into)
	if odd, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && odd.Field != "" {
		return nil
	}
	return err
}

// members are the events of a body: those of a list, or the body itself.
func members(body []byte) ([]json.RawMessage, error) {
	trimmed := bytes.TrimLeft(body, " \t\r\n")
	if len(trimmed) == 0 || trimmed[0] != '[' {
		return []json.RawMessage{body}, nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("decode list of events: %w", err)
	}
	if len(list) > mostParts {
		return nil, fmt.Errorf("decode list of events: %d of them, more than %d", len(list), mostParts)
	}
	return list, nil
}

// each reads members one by one. Those that cannot be read are odd; where that
// is all the delivery has, the delivery is.
func each[T any](list []T, odd []Odd, raw func(T) []byte, read func(T) (Batch, error)) (Batch, error) {
	b := Batch{Odd: odd}
	for _, member := range list {
		one, err := read(member)
		alone := len(list)+len(odd) == 1
		if err != nil && alone {
			return Batch{}, err
		}
		if err == nil && !alone {
			err = one.useless()
		}
		if err != nil {
			b.Odd = append(b.Odd, Odd{Body: raw(member), Err: err})
			continue
		}
		b.join(one)
	}
	return b, nil
}

// join adds what another batch says.
func (b *Batch) join(other Batch) {
	for _, f := range other.Facts {
		b.Facts = append(b.Facts, f.identified())
	}
	b.Ignored = append(b.Ignored, other.Ignored...)
	b.Odd = append(b.Odd, other.Odd...)
	if other.Answer != nil {
		b.Answer = other.Answer
	}
}

// single is a batch of one.
func single(f Fact, r Reason) Batch {
	var b Batch
	b.add(f, r)
	return b
}
