package console

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/state"
)

// conditions lists what keeps configured registries from being read, by name.
func (c *Console) conditions(ctx context.Context) ([]state.Condition, error) {
	var list []state.Condition
	err := c.State.Conditions.All(ctx, ">", func(rec state.Record[state.Condition]) error {
		_, err := c.State.Registries.Get(ctx, rec.Key)
		if errors.Is(err, state.ErrNotFound) {
			return nil // it was deleted, and nobody waits for it
		}
		list = append(list, rec.Value)
		return err
	})
	slices.SortFunc(list, func(a, b state.Condition) int { return strings.Compare(a.Registry, b.Registry) })
	return list, err
}
