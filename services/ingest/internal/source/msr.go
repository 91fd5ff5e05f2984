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

// MSR reads the webhooks of Mirantis Secure Registry 2 and 3, which was Docker
// Trusted Registry. Version 4 is Harbor, and read as such.
type MSR struct{}

type msrPayload struct {
	Type      string          `json:"type"`
	CreatedAt json.RawMessage `json:"createdAt"`
	Contents  msrContents     `json:"contents"`
}

// msrContents is what happened. Each type has some of it.
type msrContents struct {
	Namespace    string          `json:"namespace"`
	Repository   string          `json:"repository"`
	ImageName    string          `json:"imageName"` // with a host, but in the Test button's sample
	Tag          string          `json:"tag"`
	Digest       string          `json:"digest"`
	OS           string          `json:"os"`
	Architecture string          `json:"architecture"`
	Author       string          `json:"author"`
	PushedAt     json.RawMessage `json:"pushedAt"`
	DeletedAt    json.RawMessage `json:"deletedAt"`
	Event        string          `json:"event"` // of REPO_EVENT
	ScanSummary  struct {
		CompletedAt json.RawMessage `json:"check_completed_at"`
	} `json:"scanSummary"`
}

// Parse implements Source.
func (MSR) Parse(h http.Header, body []byte, at time.Time) (Batch, error) {
	if isHarbor(h, body) {
		return Harbor{}.Parse(h, body, at)
	}
	var p msrPayload
	if err := decodeMost(body, &p); err != nil {
		return Batch{}, fmt.Errorf("decode payload: %w", err)
	}
	if p.Type == "" {
		return Batch{}, errors.New("decode payload: no type")
	}
	f, reason := p.fact()
	f.ID = p.id(f)
	return single(f, reason), nil
}

func (p msrPayload) fact() (Fact, Reason) {
	f := p.base()
	switch p.Type {
	case "TAG_PUSH", "MANIFEST_PUSH":
		return f.happened(events.ActionPush, events.ClassUnknown)
	case "TAG_PULL", "MANIFEST_PULL":
		return f.happened(events.ActionPull, events.ClassUnknown)
	case "TAG_DELETE", "MANIFEST_DELETE":
		return f.happened(events.ActionDelete, events.ClassUnknown)
	case "SCAN_COMPLETED", "SCAN_FAILED",
		"PROMOTION", "PUSH_MIRRORING", "POLL_MIRRORING": // what these put into a repository is told as a push, too
		return f.happened(events.ActionOther, events.ClassUnknown)
	case "REPO_EVENT":
		return f.msrRepository(p.Contents.Event)
	case "REPO_CREATED", "REPO_UPDATED", "REPO_DELETED":
		return f.msrRepository(p.Type)
	case "SCANNER_UPDATE_COMPLETED": // about no repository
		return f.other(events.ClassUnknown), ""
	default:
		if f.Repository == "" {
			return f, UnknownEvent
		}
		return f.happened(events.ActionOther, events.ClassUnknown)
	}
}

// msrRepository makes it an event about the whole repository.
func (f Fact) msrRepository(event string) (Fact, Reason) {
	switch {
	case f.Repository == "":
		return f, NoRepository
	case event == "REPO_CREATED":
		f.Kind = events.RepositoryCreated
	case event == "REPO_UPDATED":
		f.Kind = events.RepositoryUpdated
	case event == "REPO_DELETED":
		f.Kind = events.RepositoryDeleted
	default:
		return f.other(events.ClassUnknown), ""
	}
	f.Action, f.Tag, f.Digest = events.ActionOther, "", ""
	return f, ""
}

// base is what every type has.
func (p msrPayload) base() Fact {
	c := p.Contents
	name, tag, digest := splitReference(c.ImageName)
	var f Fact
	if f.Repository = joined(c.Namespace, c.Repository); f.Repository == "" {
		f.Repository = repository(name)
	}
	f.Tag, f.Digest = reference(c.Tag, c.Digest)
	if !f.named() {
		f.Tag, f.Digest = reference(tag, digest)
	}
	f.OS, f.Architecture = platformWord(strings.ToLower(c.OS)), platformWord(strings.ToLower(c.Architecture))
	f.Actor = actor(c.Author)
	for _, raw := range []json.RawMessage{c.ScanSummary.CompletedAt, c.DeletedAt, c.PushedAt, p.CreatedAt} {
		if f.OccurredAt = moment(raw); !f.OccurredAt.IsZero() {
			break
		}
	}
	return f
}

// id is made of what identifies a fact here, where there are no ids. A push
// without a digest has none: the tag may move within the precision of a time.
func (p msrPayload) id(f Fact) string {
	created := moment(p.CreatedAt)
	if created.IsZero() || f.Kind == events.ImagePushed && f.Digest == "" {
		return ""
	}
	return hash(p.Type, p.Contents.Event, created.Format(time.RFC3339Nano), f.Repository, p.Contents.ImageName, f.Tag, string(f.Digest))
}
