package source

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/landwaiter/landwaiter/events"
)

// Alibaba reads the webhooks of Alibaba Cloud's Container Registry. They tell
// of pushed tags only, have no id, and write times without a zone.
type Alibaba struct{}

type alibabaPayload struct {
	PushData struct {
		Digest   string          `json:"digest"`
		PushedAt json.RawMessage `json:"pushed_at"`
		Tag      string          `json:"tag"`
	} `json:"push_data"`
	Repository struct {
		FullName  string `json:"repo_full_name"`
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
	} `json:"repository"`
}

// Parse implements Source.
func (Alibaba) Parse(_ http.Header, body []byte, _ time.Time) (Batch, error) {
	var p alibabaPayload
	if err := decodeMost(body, &p); err != nil {
		return Batch{}, fmt.Errorf("decode payload: %w", err)
	}
	var f Fact
	f.Repository = repository(p.Repository.FullName)
	if f.Repository == "" && p.Repository.Namespace != "" {
		f.Repository = repository(p.Repository.Namespace + "/" + p.Repository.Name)
	}
	if f.Repository == "" {
		return Batch{Ignored: []Reason{NoRepository}}, nil
	}
	f.Tag, f.Digest = reference(p.PushData.Tag, p.PushData.Digest)
	f.OccurredAt = moment(p.PushData.PushedAt)
	if !f.named() {
		f.Kind, f.Action = events.RepositoryUpdated, events.ActionOther
	} else {
		f = f.pushed(events.ClassUnknown)
	}
	return Batch{Facts: []Fact{f.identified()}}, nil
}
