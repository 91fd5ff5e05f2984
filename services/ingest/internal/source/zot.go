package source

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/agent"
)

// Zot reads zot's CloudEvents: binary ones over HTTP, structured ones from
// NATS. The same event has the same id on both.
type Zot struct{}

const zotPrefix = "zotregistry."

type zotData struct {
	Name      string          `json:"name"`
	Reference string          `json:"reference"` // a tag or a digest
	Digest    string          `json:"digest"`
	MediaType string          `json:"mediaType"`
	Manifest  json.RawMessage `json:"manifest"` // the whole of it, as a JSON string
	Actor     struct {
		Name string `json:"name"`
	} `json:"actor"`
	Request struct {
		UserAgent string `json:"useragent"`
	} `json:"request"`
}

// zotManifest is what a manifest tells about what it is.
type zotManifest struct {
	ArtifactType string `json:"artifactType"`
	Config       struct {
		MediaType string `json:"mediaType"`
	} `json:"config"`
	Layers  []distributionReference    `json:"layers"`
	Subject map[string]json.RawMessage `json:"subject"`
}

// Parse implements Source.
func (Zot) Parse(h http.Header, body []byte, _ time.Time) (Batch, error) {
	list, odd, err := cloudEvents(h, body)
	if err != nil {
		return Batch{}, err
	}
	return eachCloudEvent(list, odd, func(e cloudEvent) (Batch, error) {
		var d zotData
		if err := decodeMost(e.content(), &d); err != nil {
			return Batch{}, fmt.Errorf("decode data of %s: %w", e.Type, err)
		}
		return single(d.fact(e)), nil
	})
}

func (d zotData) fact(e cloudEvent) (Fact, Reason) {
	f := e.fact()
	f.Repository = repository(d.Name)
	f.Tag, f.Digest = reference(d.Reference, d.Digest)
	f.MediaType = mediaType(d.MediaType)
	f.Actor = actor(d.Actor.Name)
	if agent.IsOwn(d.Request.UserAgent) {
		return f, OwnRequest
	}
	switch strings.TrimPrefix(e.Type, zotPrefix) {
	case "repository.created":
		if f.Repository == "" {
			return f, NoRepository
		}
		f.Kind, f.Action = events.RepositoryCreated, events.ActionOther
		return f, ""
	case "image.updated":
		return f.happened(events.ActionPush, d.class(f.MediaType))
	case "image.deleted":
		return f.happened(events.ActionDelete, "")
	default: // scans, lint, and what later versions tell
		return f.happened(events.ActionOther, d.class(f.MediaType))
	}
}

// class is what the embedded manifest proves.
func (d zotData) class(manifestType string) events.Class {
	m := d.manifest()
	artifact, config := classOfArtifact(mediaType(m.ArtifactType)), classOfContent(m.Config.MediaType, mediaTypes(m.Layers))
	is := func(c events.Class) bool { return artifact == c || config == c }
	switch {
	case is(events.ClassSignature):
		return events.ClassSignature
	case m.Subject != nil, is(events.ClassReferrer), isArtifact(manifestType):
		return events.ClassReferrer
	case is(events.ClassChart):
		return events.ClassChart
	case isIndex(manifestType):
		return events.ClassIndex
	default:
		return config
	}
}

// manifest is the embedded one; without it, or where it cannot be read, nothing
// is proven.
func (d zotData) manifest() zotManifest {
	raw := []byte(d.Manifest)
	var quoted string
	if json.Unmarshal(raw, &quoted) == nil {
		raw = []byte(quoted)
	}
	var m zotManifest
	if decodeMost(raw, &m) != nil {
		return zotManifest{}
	}
	return m
}
