package api

import (
	"errors"
	"net/http"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/report/internal/problem"
)

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
	var defaults config.Defaults
	if d, err := a.State.Defaults.Get(r.Context(), state.DefaultsKey); err == nil {
		defaults = d.Value
	} else if !errors.Is(err, state.ErrNotFound) {
		return err
	}
	return write(w, http.StatusOK, map[string]any{"url": address, "enabled": defaults.PushesOf(rec.Value.Value)})
}
