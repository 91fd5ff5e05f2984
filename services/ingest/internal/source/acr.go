package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/agent"
)

// ACR reads what Azure Container Registry sends: its own webhooks, and the same
// events through Event Grid in either schema. One registry may send both ways.
type ACR struct{}

// acrEvent is an event of Distribution without its envelope.
type acrEvent struct {
	ID        string          `json:"id"`
	Timestamp json.RawMessage `json:"timestamp"`
	Action    string          `json:"action"`
	Target    struct {
		MediaType  string `json:"mediaType"`
		Digest     string `json:"digest"`
		Size       int64  `json:"size"`
		Repository string `json:"repository"`
		Tag        string `json:"tag"`
	} `json:"target"`
	Request struct {
		UserAgent string `json:"useragent"`
	} `json:"request"`
}

// The actions that are not spelt as everywhere else.
const (
	acrQuarantine  = "quarantine"
	acrChartPush   = "chart_push"
	acrChartDelete = "chart_delete"
)

// Parse implements Source.
func (ACR) Parse(h http.Header, body []byte, _ time.Time) (Batch, error) {
	if isEventGrid(h, body) {
		return eventGrid(h, body)
	}
	var e acrEvent
	if err := decodeMost(body, &e); err != nil {
		return Batch{}, fmt.Errorf("decode event: %w", err)
	}
	if e.Action == "" {
		return Batch{}, errors.New("decode event: no action")
	}
	f, reason := e.fact()
	return single(f.identified(), reason), nil
}

// isEventGrid tells the two by their shape: a webhook is one bare event.
func isEventGrid(h http.Header, body []byte) bool {
	if h.Get("Ce-Type") != "" || bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("[")) {
		return true
	}
	var wrapped struct {
		Data   json.RawMessage `json:"data"`
		Binary json.RawMessage `json:"data_base64"`
	}
	return decodeMost(body, &wrapped) == nil && (given(wrapped.Data) || given(wrapped.Binary))
}

func (e acrEvent) fact() (Fact, Reason) {
	f := e.base()
	class := classOfMedia(f.MediaType)
	if agent.IsOwn(e.Request.UserAgent) {
		return f, OwnRequest
	}
	switch e.Action {
	case "ping":
		return f, Ping
	case "push", acrQuarantine: // with quarantine on, the push is told only after the image was found good
		return f.happened(events.ActionPush, class)
	case "delete":
		if f.Repository != "" && e.Target.Digest == "" && e.Target.Tag == "" {
			f.Kind, f.Action = events.RepositoryDeleted, events.ActionOther
			return f, ""
		}
		return f.happened(events.ActionDelete, class)
	case acrChartPush, acrChartDelete:
		return f.happened(events.ActionOther, events.ClassChart)
	default:
		if f.Repository == "" {
			return f, UnknownEvent
		}
		return f.happened(events.ActionOther, class)
	}
}

// base is what every kind of event has.
func (e acrEvent) base() Fact {
	var f Fact
	f.Repository = repository(e.Target.Repository)
	f.Tag, f.Digest = reference(e.Target.Tag, e.Target.Digest)
	f.MediaType = mediaType(e.Target.MediaType)
	f.Size = max(e.Target.Size, 0)
	f.OccurredAt = moment(e.Timestamp)
	f.DeliveryID = identity(e.ID)
	f.ID = f.DeliveryID
	return f
}
