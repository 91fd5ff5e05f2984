package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/landwaiter/landwaiter/events"
)

// Quay reads the notifications of Quay and Red Hat Quay. They name neither
// their event nor a time, a digest, an actor or an id: what is in a payload
// tells what it is about, and every delivery is a fact of its own, because two
// pushes of a tag look the same.
type Quay struct{}

type quayPayload struct {
	Repository string `json:"repository"` // its name and namespace are not always right in samples
	DockerURL  string `json:"docker_url"`

	BuildID         json.RawMessage `json:"build_id"`
	Vulnerability   json.RawMessage `json:"vulnerability"`
	Vulnerabilities json.RawMessage `json:"vulnerabilities"`
	IndexReport     json.RawMessage `json:"vulnerable_index_report_created"`
	ExpiringIn      json.RawMessage `json:"expiring_in"`
	Threshold       json.RawMessage `json:"threshold_percent"`
	Message         json.RawMessage `json:"message"`
	UpdatedTags     json.RawMessage `json:"updated_tags"`
	Tags            json.RawMessage `json:"tags"`
}

// Parse implements Source. The order of the tests counts: a build has tags as
// well, and no build is a push.
func (Quay) Parse(_ http.Header, body []byte, _ time.Time) (Batch, error) {
	var p quayPayload
	if err := decodeMost(body, &p); err != nil {
		return Batch{}, fmt.Errorf("decode payload: %w", err)
	}
	switch {
	case given(p.BuildID):
		return p.other(), nil
	case given(p.Vulnerability), given(p.Vulnerabilities), given(p.IndexReport), given(p.ExpiringIn):
		if !given(p.Tags) {
			return p.other(), nil
		}
		return p.each(p.Tags, events.ActionOther)
	case given(p.Threshold): // a quota, which is a namespace's
		return Batch{Ignored: []Reason{NotAnImage}}, nil
	case given(p.Message): // the progress of a mirror; what it brings comes as pushes
		return p.other(), nil
	case given(p.UpdatedTags):
		return p.each(p.UpdatedTags, events.ActionPush)
	default:
		return Batch{}, errors.New("decode payload: of no known event")
	}
}

func (p quayPayload) repository() string {
	if r := repository(p.Repository); r != "" {
		return r
	}
	name, _, _ := underHost(p.DockerURL)
	return repository(name)
}

// other is about the repository as a whole.
func (p quayPayload) other() Batch {
	var f Fact
	f.Repository = p.repository()
	return single(f.happened(events.ActionOther, events.ClassUnknown))
}

// each is about some tags, or digests of what has none.
func (p quayPayload) each(raw json.RawMessage, a events.Action) (Batch, error) {
	tags, err := quayTags(raw)
	if err != nil {
		return Batch{}, err
	}
	if len(tags) == 0 {
		return Batch{Ignored: []Reason{NoReference}}, nil
	}
	var b Batch
	name := p.repository()
	for _, tag := range tags {
		var f Fact
		f.Repository = name
		f.Tag, f.Digest = reference(tag, "")
		b.add(f.happened(a, events.ClassUnknown))
	}
	return b, nil
}

// quayTags reads a list of tags or, as older versions wrote it, an object with
// an image id for each. An image id is no digest of a manifest.
func quayTags(raw json.RawMessage) ([]string, error) {
	var list []string
	var ids map[string]json.RawMessage
	// A list with an odd member is still a list, whose other members are read.
	if err := json.Unmarshal(raw, &list); err != nil && list == nil {
		if json.Unmarshal(raw, &ids) != nil {
			return nil, fmt.Errorf("decode tags: %w", err)
		}
		list = slices.Sorted(maps.Keys(ids))
	}
	if len(list) > mostParts {
		return nil, fmt.Errorf("decode tags: %d of them, more than %d", len(list), mostParts)
	}
	return list, nil
}
