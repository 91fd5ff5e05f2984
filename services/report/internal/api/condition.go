package api

import (
	"context"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/state"
)

// conditionJSON is what keeps a registry from being read.
type conditionJSON struct {
	Error  string    `json:"error"`
	Since  time.Time `json:"since"`
	LastAt time.Time `json:"lastAt"`
	Count  int       `json:"count"`
}

// conditions adds to a registry what keeps it from being read; nothing to one
// that answers.
func (a *API) conditions(ctx context.Context) (func(name string, shown map[string]any), error) {
	of := map[string]conditionJSON{}
	err := a.State.Conditions.All(ctx, ">", func(rec state.Record[state.Condition]) error {
		c := rec.Value
		of[rec.Key] = conditionJSON{Error: c.Error, Since: c.Since, LastAt: c.LastAt, Count: c.Count}
		return nil
	})
	return func(name string, shown map[string]any) {
		if c, ok := of[name]; ok {
			shown["condition"] = c
		}
	}, err
}
