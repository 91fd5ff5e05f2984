// Package source reads the webhook formats of registries and puts what they
// say into normal form. Payloads are foreign and partly written by attackers:
// whatever they hold, a source gives valid values or none. A source is a file,
// its test, and a row in For.
package source

import (
	"fmt"
	"net/http"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
)

// Source reads one webhook format.
type Source interface {
	// Parse reads a delivery that was received at a time. An error means that
	// the body is not of this format at all; whatever is wrong with one of its
	// events concerns that one only.
	Parse(header http.Header, body []byte, at time.Time) (Batch, error)
}

// Batch is what one delivery says.
type Batch struct {
	Facts   []Fact
	Ignored []Reason
	// Odd are members that were not understood, while others of the delivery
	// were. They are kept, to be read again by a later version.
	Odd []Odd
	// Answer is what the sender wants to read; nil: nothing particular.
	Answer *Answer
	// Confirm is a subscription that its sender wants confirmed; nil: none.
	Confirm *Confirmation
}

// Confirmation is what confirms a subscription to a topic of Amazon SNS.
type Confirmation struct {
	Topic string // ARN
	Token string
}

// Odd is a member of a delivery that was not understood. As a body it must be
// a delivery of the same format by itself.
type Odd struct {
	Body []byte
	Err  error
}

// Answer is a response body that a sender demands, with status 200.
type Answer struct {
	ContentType string
	Body        []byte
}

// ignore adds a reason.
func (b *Batch) ignore(r Reason) { b.Ignored = append(b.Ignored, r) }

// add adds a fact, or the reason why there is none.
func (b *Batch) add(f Fact, r Reason) {
	if r != "" {
		b.ignore(r)
		return
	}
	b.Facts = append(b.Facts, f)
}

// Fact is a registry event in normal form. Registry, host, source and the time
// of receipt are left to the receiver: no payload is believed about them.
type Fact struct {
	events.RegistryEvent
	// ID tells facts of one registry apart: two deliveries of one fact have
	// the same. Blank: every delivery is a fact of its own.
	ID string
}

// Reason says why an event is ignored. There are few of them: they label a
// metric.
type Reason string

// The reasons.
const (
	OwnRequest      Reason = "caused by landwaiter itself"
	BlobPulled      Reason = "a layer was pulled"
	BlobDeleted     Reason = "a layer was deleted"
	NoRepository    Reason = "no valid repository"
	NoReference     Reason = "neither tag nor digest"
	InvalidEvent    Reason = "not a valid event"
	WebhooksOff     Reason = "webhooks are off for this registry"
	NotDecodable    Reason = "body not understood"
	Ping            Reason = "a test of the connection"
	Handshake       Reason = "a subscription's handshake"
	NotAnImage      Reason = "not about an image"
	NotSuccessful   Reason = "what is reported did not succeed"
	OtherRegistry   Reason = "about another registry"
	OtherRepository Reason = "about a repository that is not configured"
	UnknownEvent    Reason = "unknown type of event"
)

// Named is a source and what events call it.
type Named struct {
	Name   string
	Source Source
}

// For finds the format in which a registry sends.
func For(r config.Registry) (Named, error) {
	n, ok := formats(r)[r.Kind()]
	if r.Kind() == config.Generic {
		g, err := configured(r)
		if err != nil {
			return Named{}, err
		}
		n, ok = g, true
	}
	if !ok {
		return Named{}, fmt.Errorf("registry %s: no source for type %s", r.Name, r.Type)
	}
	n.Source = sent{n.Source, r.Host()}
	return n, nil
}

// formats is the format of each type.
func formats(r config.Registry) map[config.RegistryType]Named {
	distribution := Named{"distribution", OCI{}}
	google := Named{"pubsub", PubSub{Host: r.Host()}}
	return map[config.RegistryType]Named{
		config.OCI:         distribution,
		config.OpenShift:   distribution,
		config.GitLab:      {"distribution", Distribution{}}, // a fork of it
		config.DockerHub:   {"dockerhub", DockerHub{}},
		config.Quay:        {"quay", Quay{}},
		config.ACR:         {"acr", ACR{}},
		config.MSR:         {"msr", MSR{}},
		config.Harbor:      {"harbor", Harbor{}},
		config.GHCR:        {"ghcr", GitHub{}},
		config.JFrog:       {"jfrog", JFrog{Repositories: r.Webhook.Repositories}},
		config.Nexus:       {"nexus", Nexus{Repositories: r.Webhook.Repositories}},
		config.GAR:         google,
		config.GCR:         google,
		config.ECR:         {"ecr", ECR{Host: r.Host()}},
		config.Zot:         {"zot", Zot{}},
		config.Gitea:       {"gitea", Gitea{}},
		config.Alibaba:     {"alibaba", Alibaba{}},
		config.CloudEvents: {"cloudevents", CloudEvents{}},
	}
}

func configured(r config.Registry) (Named, error) {
	if r.Webhook.Mapping == nil {
		return Named{}, fmt.Errorf("registry %s: type generic without webhook.mapping", r.Name)
	}
	g, err := NewGeneric(*r.Webhook.Mapping)
	if err != nil {
		return Named{}, fmt.Errorf("registry %s: webhook.mapping: %w", r.Name, err)
	}
	return Named{"generic", g}, nil
}

// BodyLimit is the largest body in bytes that senders of a type need.
func BodyLimit(t config.RegistryType) int64 {
	switch t {
	case config.GHCR:
		return 25 << 20 // GitHub's own limit
	case config.Zot, config.OCI, config.CloudEvents:
		return 8 << 20 // zot embeds manifests of up to 4 MiB, as a JSON string
	default:
		return 2 << 20
	}
}
