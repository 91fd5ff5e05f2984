package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/landwaiter/landwaiter/events"
)

// Nexus reads the component and asset webhooks of Sonatype Nexus Repository 3.
// All formats share them, and they name no digest where they name a tag. The
// assets of one push come in any order, a pushed tag again as UPDATED.
type Nexus struct {
	// Repositories gives, for each repository name, what comes before the
	// image's name in references; blank: nothing. Other names are not taken.
	// Without any, all are, as they are at their own connector: without a
	// prefix.
	Repositories map[string]string
}

type nexusPayload struct {
	Timestamp      json.RawMessage `json:"timestamp"`
	Initiator      string          `json:"initiator"` // user/address, or *TASK
	RepositoryName string          `json:"repositoryName"`
	Action         string          `json:"action"`
	Component      json.RawMessage `json:"component"`
	Asset          json.RawMessage `json:"asset"`
}

// nexusItem is a component or an asset. A group is no part of an image's name.
type nexusItem struct {
	Format  string `json:"format"`
	Name    string `json:"name"`
	Version string `json:"version"` // of components
}

// Parse implements Source.
func (s Nexus) Parse(header http.Header, body []byte, _ time.Time) (Batch, error) {
	var p nexusPayload
	if err := decodeMost(body, &p); err != nil {
		return Batch{}, fmt.Errorf("decode payload: %w", err)
	}
	raw, isAsset := p.Component, false
	if !given(raw) {
		raw, isAsset = p.Asset, true
	}
	if !given(raw) {
		return nexusWithoutItem(header.Get("X-Nexus-Webhook-Id"))
	}
	var item nexusItem
	if err := decodeMost(raw, &item); err != nil {
		return Batch{}, fmt.Errorf("decode component or asset: %w", err)
	}
	if isAsset {
		item.Name, item.Version = dockerAsset(item.Name)
	}
	return single(s.fact(p, item, identity(header.Get("X-Nexus-Webhook-Delivery")))), nil
}

// nexusWithoutItem is a delivery of a webhook for something else, an audit for
// example.
func nexusWithoutItem(webhook string) (Batch, error) {
	switch webhook {
	case "", "rm:repository:component", "rm:repository:asset":
		return Batch{}, errors.New("decode payload: neither component nor asset")
	default:
		return Batch{Ignored: []Reason{UnknownEvent}}, nil
	}
}

// dockerAsset reads the path of a manifest, v2/image/manifests/reference. All
// other assets, the layers, are no images.
func dockerAsset(path string) (image, name string) {
	path, ok := strings.CutPrefix(strings.TrimPrefix(path, "/"), "v2/")
	i := strings.LastIndex(path, "/manifests/")
	if !ok || i < 0 {
		return "", ""
	}
	return path[:i], path[i+len("/manifests/"):]
}

func (s Nexus) fact(p nexusPayload, item nexusItem, id string) (Fact, Reason) {
	var f Fact
	if item.Format != "docker" || item.Name == "" {
		return f, NotAnImage
	}
	var reason Reason
	if f.Repository, reason = prefixed(s.Repositories, p.RepositoryName, "", item.Name); reason != "" {
		return f, reason
	}
	f.Tag, f.Digest = reference(item.Version, "")
	user, _, _ := strings.Cut(p.Initiator, "/")
	f.Actor = actor(user)
	f.OccurredAt = moment(p.Timestamp)
	f.ID, f.DeliveryID = id, id
	switch p.Action {
	case "CREATED", "UPDATED":
		return f.happened(events.ActionPush, events.ClassUnknown)
	case "DELETED":
		return f.happened(events.ActionDelete, "")
	default:
		return f.happened(events.ActionOther, events.ClassUnknown)
	}
}
