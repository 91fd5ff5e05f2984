package api

import (
	"context"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// conditionJSON is what keeps a registry from being read.
type conditionJSON struct {
	Error  string    `json:"error"`
	Since  time.Time `json:"since"`
	LastAt time.Time `json:"lastAt"`
	Count  int       `json:"count"`
}

// besideRegistry adds to a registry whether its credential is sent, and what
// keeps it from being read; nothing to one that answers.
func (a *API) besideRegistry(ctx context.Context) (func(rec state.Record[state.Managed[config.Registry]], shown map[string]any), error) {
	of := map[string]conditionJSON{}
	err := a.State.Conditions.All(ctx, ">", func(rec state.Record[state.Condition]) error {
		c := rec.Value
		of[rec.Key] = conditionJSON{Error: c.Error, Since: c.Since, LastAt: c.LastAt, Count: c.Count}
		return nil
	})
	return func(rec state.Record[state.Managed[config.Registry]], shown map[string]any) {
		if s := credentialState(rec.Value); s != "" {
			shown["credentialState"] = s
		}
		if c, ok := of[rec.Key]; ok {
			shown["condition"] = c
		}
	}, err
}
