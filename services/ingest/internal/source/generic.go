package source

import (
	"encoding/json"
	"errors"
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
	g := Generic{actions: map[string]events.Action{}}
	var errs []error
	for _, part := range []struct {
		key, text string
		into      *query
	}{
		{"events", m.Events, &g.events},
		{"id", m.ID, &g.id},
		{"repository", m.Repository, &g.repository},
		{"tag", m.Tag, &g.tag},
		{"digest", m.Digest, &g.digest},
		{"mediaType", m.MediaType, &g.mediaType},
		{"action", m.Action, &g.action},
		{"actor", m.Actor, &g.actor},
		{"time", m.Time, &g.time},
	} {
		var err error
		if *part.into, err = compile(part.text); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", part.key, err))
		}
	}
	if m.Repository == "" {
		errs = append(errs, errors.New("repository: is missing"))
	}
	for word, meaning := range m.Actions {
		a := events.Action(meaning)
		switch a {
		case events.ActionPush, events.ActionDelete, events.ActionPull, events.ActionOther:
			g.actions[word] = a
		default:
			errs = append(errs, fmt.Errorf("actions.%s: %q is none of push, delete, pull, other", word, meaning))
		}
	}
	if len(m.Actions) > 0 && m.Action == "" {
		errs = append(errs, errors.New("actions: has no use without action"))
	}
	return g, errors.Join(errs...)
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
	f := Fact{}.placed(g.repository.of(event), g.tag.of(event), g.digest.of(event))
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
		what, _, _ := strings.Cut(err.Error(), "\n") // the rest is a drawing
		return query{}, fmt.Errorf("%q is no JSONPath query: %s", text, what)
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
