package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/speakeasy-api/jsonpath/pkg/jsonpath"

	"github.com/landwaiter/landwaiter/events"
)

// Validate says everything that is wrong with the mapping, each with its key.
func (m WebhookMapping) Validate() error {
	wrong := m.mistakes()
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(wrong)) {
		errs = append(errs, fmt.Errorf("%s: %s", key, wrong[key]))
	}
	return errors.Join(errs...)
}

// mistakes are what is wrong, by the key that it is wrong with.
func (m WebhookMapping) mistakes() map[string]string {
	wrong := map[string]string{}
	for key, text := range m.queries() {
		if _, err := jsonpath.NewPath(text); text != "" && err != nil {
			what, _, _ := strings.Cut(err.Error(), "\n")                // the rest is a drawing
			what = strings.ReplaceAll(what, "Error at line 1, ", "at ") // its line is not the document's
			wrong[key] = fmt.Sprintf("%q is no JSONPath query: %s", short(text), what)
		}
	}
	if m.Repository == "" {
		wrong["repository"] = "is missing"
	}
	if len(m.Actions) > 0 && m.Action == "" {
		wrong["actions"] = "has no use without action"
	}
	for word, meaning := range m.Actions {
		switch events.Action(meaning) {
		case events.ActionPush, events.ActionDelete, events.ActionPull, events.ActionOther:
		default:
			wrong["actions."+word] = fmt.Sprintf("%q is none of push, delete, pull, other", short(meaning))
		}
	}
	return wrong
}

func (m WebhookMapping) queries() map[string]string {
	return map[string]string{
		"events": m.Events, "id": m.ID, "repository": m.Repository, "tag": m.Tag, "digest": m.Digest,
		"mediaType": m.MediaType, "action": m.Action, "actor": m.Actor, "time": m.Time,
	}
}
