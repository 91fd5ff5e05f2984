package source

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/landwaiter/landwaiter/events"
)

// DockerHub reads Docker Hub's webhooks. They tell of pushed tags only, name
// no digest, have no id, and come several times for a multi-platform push. The
// callback_url in them is never called.
type DockerHub struct{}

type dockerHubPayload struct {
	PushData   json.RawMessage `json:"push_data"`
	Repository json.RawMessage `json:"repository"`
}

type dockerHubPush struct {
	Tag       string          `json:"tag"`
	PushedAt  json.RawMessage `json:"pushed_at"`
	Pusher    string          `json:"pusher"`
	MediaType string          `json:"media_type"` // of the config, not of the manifest
}

// Parse implements Source. Every delivery is a fact of its own: by the time it
// is looked at the tag may have moved.
func (DockerHub) Parse(_ http.Header, body []byte, _ time.Time) (Batch, error) {
	var p dockerHubPayload
	if err := decodeMost(body, &p); err != nil {
		return Batch{}, fmt.Errorf("decode payload: %w", err)
	}
	var push dockerHubPush
	if err := decodeMost(p.PushData, &push); given(p.PushData) && err != nil {
		return Batch{}, fmt.Errorf("decode push_data: %w", err)
	}
	var about struct {
		Name string `json:"repo_name"`
	}
	if err := decodeMost(p.Repository, &about); given(p.Repository) && err != nil {
		return Batch{}, fmt.Errorf("decode repository: %w", err)
	}
	var f Fact
	f.Repository = hubRepository(about.Name)
	if f.Repository == "" {
		return Batch{Ignored: []Reason{NoRepository}}, nil
	}
	f.Tag, f.Digest = reference(push.Tag, "")
	f.MediaType = mediaType(push.MediaType)
	f.Actor = actor(push.Pusher)
	f.OccurredAt = moment(push.PushedAt)
	if f.named() {
		f = f.pushed(classOfArtifact(f.MediaType))
	} else {
		f.Kind, f.Action = events.RepositoryUpdated, events.ActionOther
	}
	return Batch{Facts: []Fact{f}}, nil
}

// hubRepository puts official images where they are: under library.
func hubRepository(name string) string {
	r := repository(name)
	if r != "" && !strings.Contains(r, "/") {
		return "library/" + r
	}
	return r
}
