package plan

import (
	"context"
	"errors"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/registry"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/worker/internal/registries"
)

// Condition records what keeps a registry from being read, so that it can be
// seen while pushes wait for it, and forgets it when the registry answers. It
// only informs: that it could not be written is no failure.
func (p *Planner) Condition(ctx context.Context, name string, err error) {
	if writeErr := p.condition(ctx, name, err); writeErr != nil && ctx.Err() == nil {
		p.Log.Warn("registry condition not recorded", zap.String("registry", name), zap.Error(writeErr))
	}
}

func (p *Planner) condition(ctx context.Context, name string, err error) error {
	var unavailable *registry.Unavailable
	switch {
	case errors.As(err, &unavailable):
		p.away.leave(name, p.Now().Add(max(unavailable.RetryAfter, pauseFirst)))
	case err == nil:
		p.away.back(name)
	}
	switch {
	case errors.Is(err, registry.ErrUnavailable), errors.Is(err, registry.ErrUnauthorized), errors.Is(err, registries.ErrUnusable):
		now := p.Now()
		_, changeErr := p.State.Conditions.Change(ctx, failpoint.PlanCondition, name, func(c *state.Condition, exists bool) error {
			if !exists {
				*c = state.Condition{Registry: name, Since: now}
			}
			c.Error, c.LastAt = err.Error(), now
			c.Count++
			return nil
		})
		return changeErr
	case err != nil:
		return nil //nolint:nilerr // it is about the image, not about the registry
	}
	rec, getErr := p.State.Conditions.Get(ctx, name)
	if errors.Is(getErr, state.ErrNotFound) {
		return nil
	}
	if getErr == nil {
		getErr = p.State.Conditions.Delete(ctx, failpoint.PlanCondition, rec)
	}
	if errors.Is(getErr, state.ErrConflict) {
		return nil // another worker has just seen it otherwise
	}
	return getErr
}
