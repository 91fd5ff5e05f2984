package source

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/landwaiter/landwaiter/events"
)

// CloudEvents reads the CloudEvents of any sender: those of registries as their
// own sources do, CDEvents about artifacts, and others as far as their data
// names a repository.
type CloudEvents struct{}

// Parse implements Source.
func (CloudEvents) Parse(h http.Header, body []byte, at time.Time) (Batch, error) {
	list, odd, err := cloudEvents(h, body)
	if err != nil {
		return Batch{}, err
	}
	if h.Get("Ce-Type") == "" { // the events of a list are handed on one by one
		h = http.Header{"Content-Type": {"application/cloudevents+json"}}
	}
	return eachCloudEvent(list, odd, func(e cloudEvent) (Batch, error) {
		if s := e.sender(); s != nil {
			return s.Parse(h, e.raw, at)
		}
		if strings.HasPrefix(e.Type, cdArtifactPrefix) {
			return e.cdArtifact()
		}
		return e.generic()
	})
}

// sender is the source of the registry that sends events of this type.
func (e cloudEvent) sender() Source {
	switch {
	case strings.HasPrefix(e.Type, zotPrefix):
		return Zot{}
	case strings.HasPrefix(e.Type, "harbor."):
		return Harbor{}
	case strings.HasPrefix(e.Type, "com.amazon.ecr."):
		return ECR{}
	case strings.HasPrefix(e.Type, "Microsoft.ContainerRegistry."):
		return ACR{}
	default:
		return nil
	}
}

// genericData is what events of no known sender may tell. It is also what
// landwaiter's own registry events have.
type genericData struct {
	Repository string          `json:"repository"`
	Tag        string          `json:"tag"`
	Digest     string          `json:"digest"`
	MediaType  string          `json:"mediaType"`
	Action     string          `json:"action"`
	Class      string          `json:"class"`
	Actor      string          `json:"actor"`
	OccurredAt json.RawMessage `json:"occurredAt"`
	// What ECR calls them, which others took over.
	RepositoryName string `json:"repositoryName"`
	ImageTag       string `json:"imageTag"`
	ImageDigest    string `json:"imageDigest"`
}

func (e cloudEvent) generic() (Batch, error) {
	var d genericData
	if err := decodeMost(e.content(), &d); err != nil {
		return Batch{}, fmt.Errorf("decode data of %s: %w", e.Type, err)
	}
	f := e.factOfSource().placed(cmp.Or(d.Repository, d.RepositoryName), cmp.Or(d.Tag, d.ImageTag), cmp.Or(d.Digest, d.ImageDigest))
	f = f.ofSubject(e.Subject)
	if f.Repository == "" {
		return Batch{}, errors.New("decode data: no valid repository")
	}
	f.MediaType = mediaType(d.MediaType)
	f.Actor = actor(d.Actor)
	if f.OccurredAt.IsZero() {
		f.OccurredAt = moment(d.OccurredAt)
	}
	if kind := e.repositoryKind(); kind != "" && !f.named() {
		f.Kind, f.Action = kind, events.ActionOther
		return single(f, ""), nil
	}
	word := d.Action
	if word == "" {
		word = e.Type
	}
	return single(f.happened(actionOfWord(word), d.class(f.MediaType))), nil
}

// ofSubject fills in what the data of an event leave out from its subject, a
// reference where it is of the same repository.
func (f Fact) ofSubject(subject string) Fact {
	if f.named() {
		return f
	}
	s := Fact{}.placed(subject, "", "")
	if s.named() && (f.Repository == "" || f.Repository == s.Repository) {
		f.Repository, f.Tag, f.Digest = s.Repository, s.Tag, s.Digest
	}
	return f
}

// class is what the media type proves, else what the sender says.
func (d genericData) class(mediaType string) events.Class {
	if class := classOfMedia(mediaType); class != events.ClassUnknown {
		return class
	}
	switch class := events.Class(d.Class); class {
	case events.ClassImage, events.ClassIndex, events.ClassLayer, events.ClassChart, events.ClassSignature, events.ClassReferrer:
		return class
	default:
		return events.ClassUnknown
	}
}

// repositoryKind is the kind of an event about a whole repository, by its type.
func (e cloudEvent) repositoryKind() events.Kind {
	t, _ := strings.CutSuffix(strings.TrimRight(strings.ToLower(e.Type), "0123456789."), ".v")
	switch {
	case strings.HasSuffix(t, "repository.created"):
		return events.RepositoryCreated
	case strings.HasSuffix(t, "repository.updated"):
		return events.RepositoryUpdated
	case strings.HasSuffix(t, "repository.deleted"):
		return events.RepositoryDeleted
	default:
		return ""
	}
}

// actionOfWord reads a sender's word for what happened, or the last word of a
// type such as com.example.image.pushed.v1. What is not clear is other.
func actionOfWord(s string) events.Action {
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return strings.ContainsRune(".-_/: ", r) })
	for len(words) > 1 && strings.Trim(words[len(words)-1], "v0123456789") == "" {
		words = words[:len(words)-1]
	}
	if len(words) == 0 {
		return events.ActionOther
	}
	last := words[len(words)-1]
	is := func(endings ...string) bool {
		for _, ending := range endings {
			if strings.HasSuffix(last, ending) {
				return true
			}
		}
		return false
	}
	switch {
	case is("push", "pushed", "published"):
		return events.ActionPush
	case is("delete", "deleted", "removed"):
		return events.ActionDelete
	case is("pull", "pulled"):
		return events.ActionPull
	default:
		return events.ActionOther
	}
}

// factOfSource is fact for senders that may be many: an id is one only together
// with its source.
func (e cloudEvent) factOfSource() Fact {
	f := e.fact()
	if f.ID != "" && e.Source != "" {
		f.ID = hash(e.Source, e.ID)
	}
	return f
}

// eachCloudEvent reads a delivery of CloudEvents one by one.
func eachCloudEvent(list []cloudEvent, odd []Odd, read func(cloudEvent) (Batch, error)) (Batch, error) {
	return each(list, odd, func(e cloudEvent) []byte { return e.raw }, read)
}

// content is an event's data: JSON, JSON in a string, or in Base64.
func (e cloudEvent) content() []byte {
	data := bytes.TrimSpace(e.Data)
	var inner string
	switch {
	case len(data) == 0, string(data) == "null":
		var binary struct {
			Data []byte `json:"data_base64"`
		}
		if json.Unmarshal(e.raw, &binary) != nil {
			return nil
		}
		return binary.Data
	case data[0] == '"' && json.Unmarshal(data, &inner) == nil && json.Valid([]byte(inner)):
		return []byte(inner)
	default:
		return data
	}
}

// fact is what every CloudEvent has.
func (e cloudEvent) fact() Fact {
	var f Fact
	f.DeliveryID = identity(e.ID)
	f.ID = f.DeliveryID
	f.OccurredAt = moment(e.Time)
	return f
}
