package source

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/landwaiter/landwaiter/events"
)

// Harbor reads Harbor's webhooks in both of their formats: its own, under the
// names of every version, and CloudEvents.
type Harbor struct{}

// harborPrefix is that of the types of its CloudEvents.
const harborPrefix = "harbor."

type harborPayload struct {
	Type     string          `json:"type"`
	OccurAt  json.RawMessage `json:"occur_at"`
	Operator string          `json:"operator"` // in a CloudEvent an extension
	Data     json.RawMessage `json:"event_data"`
}

type harborData struct {
	Resources  []harborResource `json:"resources"`
	Repository struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
		FullName  string `json:"repo_full_name"`
	} `json:"repository"`
	Scan struct {
		Type string `json:"scan_type"`
	} `json:"scan"`
}

type harborResource struct {
	Digest string `json:"digest"`
	Tag    string `json:"tag"` // the digest, where there is no tag
	URL    string `json:"resource_url"`
}

// harborEvent is what both formats say.
type harborEvent struct {
	kind     string
	action   events.Action
	class    events.Class
	at       time.Time
	operator string
	id       string // of a CloudEvent
	data     harborData
}

// Parse implements Source.
func (Harbor) Parse(h http.Header, body []byte, _ time.Time) (Batch, error) {
	if p, ok := harborOwn(h, body); ok {
		e := harborEvent{kind: p.Type, at: moment(p.OccurAt), operator: p.Operator}
		return e.batch(p.Data)
	}
	list, odd, err := cloudEvents(h, body)
	if err != nil {
		return Batch{}, err
	}
	return eachCloudEvent(list, odd, func(ce cloudEvent) (Batch, error) {
		var p harborPayload
		if err := decodeMost(ce.raw, &p); err != nil {
			return Batch{}, fmt.Errorf("decode event: %w", err)
		}
		e := harborEvent{kind: ce.Type, at: moment(ce.Time), operator: cmp.Or(h.Get("Ce-Operator"), p.Operator), id: identity(ce.ID)}
		return e.batch(ce.content())
	})
}

// harborOwn reads Harbor's own format, which proxies and users deliver under
// any content type: its shape tells.
func harborOwn(h http.Header, body []byte) (harborPayload, bool) {
	var p harborPayload
	if h.Get("Ce-Type") != "" || decodeMost(body, &p) != nil {
		return p, false
	}
	return p, p.Type != "" && given(p.Data)
}

// isHarbor reports whether a delivery is Harbor's, for a source that another
// product sends to as well.
func isHarbor(h http.Header, body []byte) bool {
	p, own := harborOwn(h, body)
	return own || isCloudEvents(h) || strings.HasPrefix(p.Type, harborPrefix)
}

// harborAction is what a type tells of. What is neither an image's push, pull
// nor deletion is other: scans, quotas (whose push was refused), replications,
// retention (what it deletes is told by itself) and whatever comes to be.
func harborAction(kind string) (events.Action, events.Class) {
	switch kind {
	case "PUSH_ARTIFACT", "pushImage", "harbor.artifact.pushed":
		return events.ActionPush, events.ClassUnknown
	case "PULL_ARTIFACT", "pullImage", "harbor.artifact.pulled":
		return events.ActionPull, events.ClassUnknown
	case "DELETE_ARTIFACT", "deleteImage", "harbor.artifact.deleted":
		return events.ActionDelete, events.ClassUnknown
	case "UPLOAD_CHART", "DOWNLOAD_CHART", "DELETE_CHART", "uploadChart", "downloadChart", "deleteChart":
		return events.ActionOther, events.ClassChart
	default:
		return events.ActionOther, events.ClassUnknown
	}
}

// batch is a fact for each resource, or one without any.
func (e harborEvent) batch(raw []byte) (Batch, error) {
	if err := decodeMost(raw, &e.data); err != nil {
		return Batch{}, fmt.Errorf("decode data of %.80q: %w", e.kind, err)
	}
	e.action, e.class = harborAction(e.kind)
	resources := e.data.Resources
	if len(resources) > mostParts {
		return Batch{}, fmt.Errorf("decode resources: %d of them, more than %d", len(resources), mostParts)
	}
	if len(resources) == 0 {
		return single(e.fact(harborResource{}, hash(string(raw)))), nil
	}
	var b Batch
	for _, r := range resources {
		b.add(e.fact(r, hash(r.Tag, r.Digest, r.URL)))
	}
	return b, nil
}

// fact is about one resource, which part tells from others of the event.
func (e harborEvent) fact(r harborResource, part string) (Fact, Reason) {
	var f Fact
	f.Repository = e.repository(r)
	f.Tag, f.Digest = reference(r.Tag, r.Digest)
	if _, tag, digest := underHost(r.URL); !f.named() {
		f.Tag, f.Digest = reference(tag, digest)
	}
	f.Actor, f.OccurredAt, f.DeliveryID = actor(e.operator), e.at, e.id
	reason := Reason("")
	if e.action == events.ActionOther { // also where it is about no repository
		f = f.other(e.class)
	} else {
		f, reason = f.happened(e.action, e.class)
	}
	f.ID = e.identify(f, part)
	return f, reason
}

// repository is that of the event, else the one in the resource's URL. A
// chart's URL has none.
func (e harborEvent) repository(r harborResource) string {
	in := e.data.Repository
	if name := cmp.Or(repository(in.FullName), joined(in.Namespace, in.Name)); name != "" || e.class == events.ClassChart {
		return name
	}
	name, _, _ := underHost(r.URL)
	return repository(name)
}

// identify gives the id of a CloudEvent, and to each of its resources one of
// its own. The other format has none, but sends the same bytes again: there it
// is the time and the content; a tag alone may have moved within its second.
func (e harborEvent) identify(f Fact, part string) string {
	switch {
	case e.id != "" && len(e.data.Resources) > 1:
		return e.id + "/" + part
	case e.id != "":
		return e.id
	case e.at.IsZero(), f.Digest == "" && f.Kind != events.RegistryOther:
		return ""
	default:
		return hash(e.kind, e.data.Scan.Type, e.at.Format(time.RFC3339Nano), f.Repository, part)
	}
}
