package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/agent"
)

// Distribution reads the notifications of CNCF Distribution (Docker Registry),
// version 1 and 2 of its envelope, which differ in nothing but the content
// type. One envelope may hold unrelated events in any order.
type Distribution struct{}

type distributionEnvelope struct {
	Events []json.RawMessage `json:"events"`
}

type distributionEvent struct {
	ID        string          `json:"id"`
	Timestamp json.RawMessage `json:"timestamp"`
	Action    string          `json:"action"`
	Target    struct {
		MediaType  string                  `json:"mediaType"`
		Digest     string                  `json:"digest"`
		Size       json.RawMessage         `json:"size"`
		Repository string                  `json:"repository"`
		Tag        string                  `json:"tag"`
		References []distributionReference `json:"references"`
	} `json:"target"`
	Request struct {
		UserAgent string `json:"useragent"`
	} `json:"request"`
	Actor struct {
		Name string `json:"name"`
	} `json:"actor"`
}

// distributionReference is a descriptor inside a manifest, sent where the
// registry has includereferences on. The first one of an image is its config.
type distributionReference struct {
	MediaType string `json:"mediaType"`
}

// Parse implements Source. An event that does not decode is set aside by
// itself: the registry would send the whole envelope again for ever.
func (Distribution) Parse(_ http.Header, body []byte, _ time.Time) (Batch, error) {
	if b, ok := plainEnvelope(body); ok && !slices.ContainsFunc(b.Ignored, nameless) {
		return b, nil
	}
	var envelope distributionEnvelope
	if err := json.Unmarshal(body, &envelope); err != nil {
		return Batch{}, fmt.Errorf("decode envelope: %w", err)
	}
	if envelope.Events == nil {
		return withoutEvents(body)
	}
	if n := len(envelope.Events); n > mostParts {
		return Batch{}, fmt.Errorf("decode envelope: %d events, more than %d", n, mostParts)
	}
	var b Batch
	for _, raw := range envelope.Events {
		var e distributionEvent
		var one Batch
		err := decodeMost(raw, &e)
		if err == nil {
			one = single(e.fact())
		}
		if err == nil && len(envelope.Events) > 1 {
			err = one.useless()
		}
		if err != nil {
			b.Odd = append(b.Odd, Odd{Body: slices.Concat([]byte(`{"events":[`), raw, []byte(`]}`)), Err: err})
			continue
		}
		b.join(one)
	}
	return b, nil
}

// withoutEvents is what a hook of GitLab's for projects or the whole system
// sends, which tells of anything but images. All else is not of this format.
func withoutEvents(body []byte) (Batch, error) {
	var hook struct {
		Object string `json:"object_kind"`
		Event  string `json:"event_name"`
	}
	if decodeMost(body, &hook) == nil && hook.Object+hook.Event != "" {
		return Batch{Ignored: []Reason{UnknownEvent}}, nil
	}
	return Batch{}, errors.New("decode envelope: no events")
}

// plainEnvelope reads the usual delivery, which has nothing odd, in one pass. It
// is a small one: in memory an event without members is a hundred times its
// text.
func plainEnvelope(body []byte) (Batch, bool) {
	const small = 16 << 10
	if len(body) > small {
		return Batch{}, false
	}
	var b Batch
	p, found := plain{text: body}, false
	read := p.object(member{"events", func() bool {
		found = true
		return p.list(func() bool {
			e, ok := plainEvent(&p)
			if ok {
				b.add(e.fact())
			}
			return ok
		})
	}})
	return b, read && found && p.end()
}

// plainEvent reads an event without references.
func plainEvent(p *plain) (distributionEvent, bool) {
	var e distributionEvent
	target := func() bool {
		return p.object(
			member{"mediaType", &e.Target.MediaType}, member{"digest", &e.Target.Digest}, member{"size", &e.Target.Size},
			member{"repository", &e.Target.Repository}, member{"tag", &e.Target.Tag}, member{"references", nil},
		)
	}
	request := func() bool { return p.object(member{"useragent", &e.Request.UserAgent}) }
	actor := func() bool { return p.object(member{"name", &e.Actor.Name}) }
	ok := p.object(
		member{"id", &e.ID}, member{"timestamp", &e.Timestamp}, member{"action", &e.Action},
		member{"target", target}, member{"request", request}, member{"actor", actor},
	)
	return e, ok
}

func (e *distributionEvent) fact() (Fact, Reason) {
	f := e.base()
	if agent.IsOwn(e.Request.UserAgent) { // the echo of our own requests must not start anything
		return f, OwnRequest
	}
	if f.Repository == "" {
		return f, NoRepository
	}
	// A media type is left out, or blank, where the registry does not know it.
	blob := e.Target.MediaType != "" && !isManifest(f.MediaType)
	switch e.Action {
	case "push":
		return f.distributionPush(blob, e.class(f.MediaType))
	case "mount":
		return f.distributionPush(true, "")
	case "pull":
		return f.distributionPull(blob)
	case "delete":
		if e.Target.Tag == "" && e.Target.Digest == "" {
			f.Kind, f.Action = events.RepositoryDeleted, events.ActionOther
			return f, ""
		}
		return f.distributionDelete(blob)
	default:
		return f.other(events.ClassUnknown), ""
	}
}

func (f Fact) named() bool { return f.Tag != "" || f.Digest != "" }

func (f Fact) distributionPush(blob bool, class events.Class) (Fact, Reason) {
	switch {
	case !f.named(), blob && f.Digest == "":
		return f, NoReference
	case blob: // a layer, or a config: the payload cannot tell
		f.Kind, f.Action, f.Class, f.Tag = events.LayerPushed, events.ActionPush, events.ClassLayer, ""
		return f, ""
	default:
		return f.pushed(class), ""
	}
}

func (f Fact) distributionPull(blob bool) (Fact, Reason) {
	switch {
	case blob:
		return f, BlobPulled
	case !f.named():
		return f, NoReference
	case isIndex(f.MediaType):
		return f.of(events.ImagePulled, events.ActionPull, events.ClassIndex), ""
	default:
		return f.of(events.ImagePulled, events.ActionPull, ""), ""
	}
}

func (f Fact) distributionDelete(blob bool) (Fact, Reason) {
	switch {
	case blob:
		return f, BlobDeleted
	case !f.named(): // what it names is not valid, which is not to say the whole repository
		return f, NoReference
	default:
		return f.of(events.ImageDeleted, events.ActionDelete, ""), ""
	}
}

// class is what the payload proves about a manifest.
func (e *distributionEvent) class(mediaType string) events.Class {
	switch refs := e.Target.References; {
	case isIndex(mediaType):
		return events.ClassIndex
	case isArtifact(mediaType):
		return events.ClassReferrer
	case len(refs) > 0:
		return classOfContent(refs[0].MediaType, mediaTypes(refs[1:]))
	default:
		return events.ClassUnknown
	}
}

func mediaTypes(refs []distributionReference) []string {
	list := make([]string, len(refs))
	for i, r := range refs {
		list[i] = r.MediaType
	}
	return list
}

// base is what every kind of event has.
func (e *distributionEvent) base() Fact {
	var f Fact
	f.Repository = repository(e.Target.Repository)
	f.Tag, f.Digest = reference(e.Target.Tag, e.Target.Digest)
	f.MediaType = mediaType(e.Target.MediaType)
	f.Actor = actor(e.Actor.Name)
	f.OccurredAt = moment(e.Timestamp)
	if n, err := strconv.ParseInt(string(e.Target.Size), 10, 64); err == nil && n >= 0 {
		f.Size = n
	}
	f.DeliveryID = identity(e.ID)
	f.ID = f.DeliveryID
	if f.ID == "" && !f.OccurredAt.IsZero() {
		f.ID = hash(e.Action, f.Repository, f.Tag, string(f.Digest), f.OccurredAt.Format(time.RFC3339Nano))
	}
	return f
}
