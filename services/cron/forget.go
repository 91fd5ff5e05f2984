package cron

import (
	"context"
	"errors"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// errDeleted says that a rule is no longer configured.
var errDeleted = errors.New("the rule was deleted")

// present is nil for a rule that is configured, else errDeleted.
func (s *scheduler) present(ctx context.Context, rule string) error {
	_, err := s.rules.Get(ctx, rule)
	if errors.Is(err, state.ErrNotFound) {
		return errDeleted
	}
	return err
}

// forget removes the cursors of rules that were deleted: a rule that is made
// again under the same name is a new one, and begins with a baseline. What
// fails is tried again at the next look.
func (s *scheduler) forget(ctx context.Context, rules []config.Rule) {
	known := make(map[string]bool, len(rules))
	for _, r := range rules {
		known[r.Name] = true
	}
	var left []state.Record[state.Due]
	err := s.dues.All(ctx, ">", func(rec state.Record[state.Due]) error {
		if !known[rec.Key] {
			left = append(left, rec)
		}
		return nil
	})
	for _, rec := range left {
		if err == nil {
			err = s.drop(ctx, rec)
		}
	}
	if err != nil && ctx.Err() == nil {
		s.log.Warn("schedules of deleted rules not removed", zap.Error(err))
	}
}

// drop removes one cursor as it was read. What the watch told may be old: the
// rule's own record decides, and one made meanwhile has moved the cursor.
func (s *scheduler) drop(ctx context.Context, rec state.Record[state.Due]) error {
	err := s.present(ctx, rec.Key)
	if !errors.Is(err, errDeleted) {
		return err
	}
	if err := s.dues.Delete(ctx, failpoint.CronCursor, rec); err != nil && !errors.Is(err, state.ErrConflict) {
		return err
	}
	s.log.Info("schedule of a deleted rule removed", zap.String("rule", rec.Key))
	return nil
}
