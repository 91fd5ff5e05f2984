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
	PushData struct {
		Tag       string          `json:"tag"`
		PushedAt  json.RawMessage `json:"pushed_at"`
		Pusher    string          `json:"pusher"`
		MediaType string          `json:"media_type"` // of the config, not of the manifest
	} `json:"push_data"`
	Repository struct {
		RepoName string `json:"repo_name"`
	} `json:"repository"`
}

// Parse implements Source. Every delivery is a fact of its own: by the time it
// is looked at the tag may have moved.
func (DockerHub) Parse(_ http.Header, body []byte, _ time.Time) (Batch, error) {
	var p dockerHubPayload
	if err := json.Unmarshal(body, &p); err != nil {
		return Batch{}, fmt.Errorf("decode payload: %w", err)
	}
	var f Fact
	f.Repository = hubRepository(p.Repository.RepoName)
	if f.Repository == "" {
		return Batch{Ignored: []Reason{NoRepository}}, nil
	}
	f.Tag, f.Digest = reference(p.PushData.Tag, "")
	f.MediaType = mediaType(p.PushData.MediaType)
	f.Actor = actor(p.PushData.Pusher)
	f.OccurredAt = moment(p.PushData.PushedAt)
	if f.Tag == "" && f.Digest == "" {
		f.Kind, f.Action = events.RepositoryUpdated, events.ActionOther
	} else {
		f = f.pushed(classOfConfig(f.MediaType))
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
