package source

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/speakeasy-api/jsonpath/pkg/jsonpath"
	"gopkg.in/yaml.v3"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
)

// Generic reads any JSON by a mapping of JSONPath queries (RFC 9535).
type Generic struct {
	events, id, repository, tag, digest, mediaType, action, actor, time query

	actions map[string]events.Action
}

// NewGeneric compiles a mapping, or says everything that is wrong with it, each
// with its key.
func NewGeneric(m config.WebhookMapping) (Generic, error) {
	if err := m.Validate(); err != nil {
		return Generic{}, err
	}
	g := Generic{actions: map[string]events.Action{}}
	for _, part := range []struct {
		text string
		into *query
	}{
		{m.Events, &g.events},
		{m.ID, &g.id},
		{m.Repository, &g.repository},
		{m.Tag, &g.tag},
		{m.Digest, &g.digest},
		{m.MediaType, &g.mediaType},
		{m.Action, &g.action},
		{m.Actor, &g.actor},
		{m.Time, &g.time},
	} {
		var err error
		if *part.into, err = compile(part.text); err != nil {
			return Generic{}, err
		}
	}
	for word, meaning := range m.Actions {
		g.actions[word] = events.Action(meaning)
	}
	return g, nil
}

// Parse implements Source. A body in which the mapping finds no event tells of
// nothing that was asked for.
func (g Generic) Parse(_ http.Header, body []byte, _ time.Time) (Batch, error) {
	root, err := document(body)
	if err != nil {
		return Batch{}, err
	}
	found := []*yaml.Node{root}
	if g.events.path != nil {
		found = g.events.path.Query(root)
	}
	if len(found) == 0 {
		return Batch{Ignored: []Reason{UnknownEvent}}, nil
	}
	var b Batch
	for _, event := range found {
		b.join(single(g.fact(event)))
	}
	return b, nil
}

func (g Generic) fact(event *yaml.Node) (Fact, Reason) {
	name := g.repository.of(event)
	if name == "" { // not what the mapping is for
		return Fact{}, UnknownEvent
	}
	f := Fact{}.placed(name, g.tag.of(event), g.digest.of(event))
	f.MediaType = mediaType(g.mediaType.of(event))
	f.Actor = actor(g.actor.of(event))
	f.OccurredAt = moment(json.RawMessage(g.time.of(event)))
	f.DeliveryID = identity(g.id.of(event))
	f, r := f.happened(g.meaning(event), classOfMedia(f.MediaType))
	f.ID = f.DeliveryID
	if f.ID != "" && g.events.path != nil { // the id may be one of all of them
		f.ID += "/" + hash(string(f.Kind), f.Repository, f.Tag, string(f.Digest))
	}
	return f, r
}

// meaning is the action by the sender's word for it. A word that the mapping
// does not have stands for itself, if it is one of ours; no word is no push.
func (g Generic) meaning(event *yaml.Node) events.Action {
	if g.action.path == nil {
		return events.ActionPush
	}
	word := g.action.of(event)
	if a, ok := g.actions[word]; ok {
		return a
	}
	switch a := events.Action(strings.ToLower(word)); a {
	case events.ActionPush, events.ActionDelete, events.ActionPull:
		return a
	default:
		return events.ActionOther
	}
}

// query is a compiled JSONPath query; the zero query finds nothing.
type query struct{ path *jsonpath.JSONPath }

func compile(text string) (query, error) {
	if text == "" {
		return query{}, nil
	}
	path, err := jsonpath.NewPath(text)
	if err != nil {
		return query{}, fmt.Errorf("compile JSONPath query %q: %w", text, err)
	}
	return query{path}, nil
}

// of is the first text, number or truth value that the query finds.
func (q query) of(event *yaml.Node) string {
	if q.path == nil {
		return ""
	}
	for _, n := range q.path.Query(event) {
		if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
			return n.Value
		}
	}
	return ""
}
