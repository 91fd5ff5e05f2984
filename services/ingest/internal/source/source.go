// Package source reads the webhook formats of registries and puts what they
// say into normal form. Payloads are foreign and partly written by attackers:
// whatever they hold, a source gives valid values or none. A source is a file,
// its test, and a row in For.
package source

import (
	"net/http"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
)

// Source reads one webhook format.
type Source interface {
	// Parse reads a delivery that was received at a time. An error means that
	// the body is not of this format at all; whatever is wrong with one of its
	// events only has that one ignored.
	Parse(header http.Header, body []byte, at time.Time) (Batch, error)
}

// Batch is what one delivery says.
type Batch struct {
	Facts   []Fact
	Ignored []Reason
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
	OwnRequest    Reason = "caused by landwaiter itself"
	BlobPulled    Reason = "a layer was pulled"
	BlobDeleted   Reason = "a layer was deleted"
	NoRepository  Reason = "no valid repository"
	NoReference   Reason = "neither tag nor digest"
	InvalidEvent  Reason = "not a valid event"
	WebhooksOff   Reason = "webhooks are off for this registry"
	NotDecodable  Reason = "body not understood"
	NoSourceForIt Reason = "no source for this registry type yet"
)

// Named is a source and what events call it.
type Named struct {
	Name   string
	Source Source
}

// For finds the format in which registries of a type send; false where none is
// there yet.
func For(t config.RegistryType) (Named, bool) {
	switch t {
	case config.DockerHub:
		return Named{"dockerhub", DockerHub{}}, true
	case config.OCI, config.GitLab, config.OpenShift:
		// GitLab's and OpenShift's registries are forks of Distribution.
		return Named{"distribution", Distribution{}}, true
	default:
		return Named{}, false
	}
}
