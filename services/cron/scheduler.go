package cron

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/rule"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// scheduler publishes what is due.
type scheduler struct {
	bus   *bus.Bus
	dues  *state.Table[state.Due]
	rules *state.Table[state.Managed[config.Rule]]
	log   *zap.Logger
}

// look publishes the latest due time of each rule, if that has not been done.
// What fails is tried again at the next look.
func (s *scheduler) look(ctx context.Context, rules []config.Rule, now time.Time) {
	for _, r := range rules {
		if err := s.check(ctx, r, now); err != nil && ctx.Err() == nil {
			s.log.Error("schedule not kept", zap.String("rule", r.Name), zap.Error(err))
		}
	}
}

// check does one rule: publish, and only once that is confirmed advance the
// cursor. Whoever dies in between leaves a message that comes twice, which
// whoever makes the sweep's record bears.
func (s *scheduler) check(ctx context.Context, r config.Rule, now time.Time) error {
	schedule, err := rule.ParseSchedule(r.Schedule)
	if err != nil {
		return err
	}
	last, err := s.cursor(ctx, r, now)
	if errors.Is(err, errDeleted) {
		return nil // the watch is about to say so too
	}
	if err != nil {
		return err
	}
	due, ok := schedule.Latest(last, now)
	if !ok || !due.After(last) {
		return nil
	}
	if err := s.publish(ctx, r.Name, due, now); err != nil {
		return err
	}
	s.log.Info("sweep due", zap.String("rule", r.Name), zap.Time("due", due), zap.Duration("late", now.Sub(due)))
	return s.advance(ctx, r.Name, due)
}

// cursor is the rule's last due time, and the anchor of the next ones: every N
// days are counted from the last sweep that was due, whatever N was then. For a
// rule that is seen first the last one is made up: one period ago where no time
// of day is given, so that its first sweep, the baseline, is due now; else now.
// All replicas agree on the first to say so.
func (s *scheduler) cursor(ctx context.Context, r config.Rule, now time.Time) (time.Time, error) {
	rec, err := s.dues.Get(ctx, r.Name)
	if errors.Is(err, state.ErrNotFound) {
		// A replica that has not heard of a rule's end must not begin it again.
		if err := s.present(ctx, r.Name); err != nil {
			return time.Time{}, err
		}
		last := now.UTC().Truncate(time.Second) // sweep keys tell seconds apart
		if r.Schedule.At == "" {
			last = last.Add(-time.Duration(max(r.Schedule.EveryDays, 1)) * 24 * time.Hour)
		}
		rec, err = s.dues.Create(ctx, failpoint.CronCursor, r.Name, state.Due{Rule: r.Name, Last: last})
		if errors.Is(err, state.ErrConflict) {
			rec, err = s.dues.Get(ctx, r.Name)
		}
	}
	if err != nil {
		return time.Time{}, err
	}
	return rec.Value.Last, nil
}

func (s *scheduler) publish(ctx context.Context, name string, due, now time.Time) error {
	key := events.SweepKey(name, due)
	e, err := events.New(
		events.SweepRequested{Sweep: key, Rule: name, DueAt: due},
		events.Meta{ID: "sweep/" + key, Source: "cron", Time: now},
	)
	if err != nil {
		return fmt.Errorf("sweep of rule %s: %w", name, err)
	}
	return s.bus.Publish(ctx, failpoint.CronPublish, e)
}

// advance moves the cursor, only forward: a replica that was paused comes late.
func (s *scheduler) advance(ctx context.Context, name string, due time.Time) error {
	_, err := s.dues.Change(ctx, failpoint.CronCursor, name, func(d *state.Due, _ bool) error {
		if !due.After(d.Last) {
			return state.ErrUnchanged
		}
		d.Rule, d.Last = name, due
		return nil
	})
	return err
}
