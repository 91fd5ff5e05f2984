package api

import (
	"errors"
	"net/http"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/hook"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/report/internal/problem"
)

// webhookJSON is what to do at a registry so that it sends its webhooks.
type webhookJSON struct {
	hook.Setup

	Enabled bool `json:"enabled"` // pushes start scans
}

func (a *API) getWebhook(w http.ResponseWriter, r *http.Request) error {
	rec, err := registries(a).record(r)
	if err != nil {
		return err
	}
	unknown := func(reason string) error {
		return problem.New(http.StatusNotFound, "the webhook's address is not known here: "+reason,
			"set LANDWAITER_PUBLIC_INGEST and LANDWAITER_WEBHOOK_KEY for the report service")
	}
	if a.WebhookURL == nil {
		return unknown("this service was not told where ingest is")
	}
	address, err := a.WebhookURL(rec.Value.Value)
	if err != nil {
		return unknown(err.Error())
	}
	setup, err := hook.NewSetup(rec.Value.Value, address)
	if err != nil {
		return err
	}
	var defaults config.Defaults
	if d, err := a.State.Defaults.Get(r.Context(), state.DefaultsKey); err == nil {
		defaults = d.Value
	} else if !errors.Is(err, state.ErrNotFound) {
		return err
	}
	return write(w, http.StatusOK, webhookJSON{Setup: setup, Enabled: defaults.PushesOf(rec.Value.Value)})
}
