package api

import (
	"context"
	"errors"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/state"
)

// paused tells until when a registry asked to be left alone, and why; blank:
// it did not.
func (a *API) paused(ctx context.Context, registry string, now time.Time) (string, error) {
	rec, err := a.State.Pauses.Get(ctx, registry)
	if err != nil {
		if errors.Is(err, state.ErrNotFound) {
			return "", nil
		}
		return "", err
	}
	pause, holds := rec.Value.Longest(now)
	if !holds {
		return "", nil
	}
	return "registry until " + pause.Until.UTC().Format(time.RFC3339) + ": " + pause.Why, nil
}
