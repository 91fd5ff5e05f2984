package view

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Complete reports whether the view followed the state without a gap until
// now: it was built whole, nobody wiped it, and no longer absence than hold
// passed since. It renews that promise for another hold.
func (v *View) Complete(ctx context.Context, hold time.Duration) (bool, error) {
	held, err := v.redis.SetXX(ctx, v.keys.marker(), v.now().UTC().Format(time.RFC3339), hold).Result()
	if err != nil && err != redis.Nil { //nolint:errorlint // the driver returns it bare
		return false, fmt.Errorf("read view's marker: %w", err)
	}
	return held, nil
}

// MarkComplete notes that the view was built whole.
func (v *View) MarkComplete(ctx context.Context, hold time.Duration) error {
	if err := v.redis.Set(ctx, v.keys.marker(), v.now().UTC().Format(time.RFC3339), hold).Err(); err != nil {
		return fmt.Errorf("write view's marker: %w", err)
	}
	return nil
}

// Whole reports whether the view is taken for complete at this moment. It is
// not once the store was wiped, until it has been built again.
func (v *View) Whole(ctx context.Context) (bool, error) {
	n, err := v.redis.Exists(ctx, v.keys.marker()).Result()
	if err != nil {
		return false, fmt.Errorf("read view's marker: %w", err)
	}
	return n > 0, nil
}
