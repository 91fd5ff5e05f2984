package scan

import (
	"context"
	"errors"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/plan"
)

// Announce publishes how a job ended, at every place of its image, and notes
// in the record that it did. It is repeated until it has: the ids stay the
// same.
func (s *Scanner) Announce(ctx context.Context, rec state.Record[state.Job]) error {
	j := rec.Value
	if j.State == state.JobCancelled {
		if err := s.settle(ctx, j); err != nil {
			return err
		}
	}
	if j.Announced || !j.State.Terminal() {
		return nil
	}
	img, err := s.State.Images.Get(ctx, j.Digest.Token())
	if err != nil && !errors.Is(err, state.ErrNotFound) {
		return err
	}
	err = s.State.Places.All(ctx, state.PlacesOfImage(j.Digest), func(p state.Record[state.Place]) error {
		return s.tell(ctx, j, img.Value, p.Value)
	})
	if err != nil {
		return err
	}
	if err := s.Teller.Tell(ctx, img); err != nil {
		return err
	}
	if j.Dead {
		if err := s.bury(ctx, j); err != nil {
			return err
		}
	}
	rec.Value.Announced = true
	_, err = s.State.Jobs.Put(ctx, failpoint.ScanAnnounced, rec)
	if errors.Is(err, state.ErrConflict) {
		return nil // started again meanwhile; what was announced is no less true
	}
	return err
}

// settle takes an image whose scan was cancelled back to what was known before.
func (s *Scanner) settle(ctx context.Context, j state.Job) error {
	_, err := s.State.Images.Change(ctx, failpoint.ScanStatus, j.Digest.Token(), func(img *state.Image, exists bool) error {
		if !exists || img.Generation > j.Generation || img.Status != verdict.Scanning {
			return state.ErrUnchanged
		}
		switch {
		case img.Error != "":
			img.Status = verdict.Failed
		case img.Report == "":
			img.Status = verdict.Unscanned
		case img.Database == "":
			img.Status = verdict.Scanned
		default:
			img.Status = verdict.Completed
		}
		img.Generation = j.Generation
		return nil
	})
	return err
}

func (s *Scanner) tell(ctx context.Context, j state.Job, img state.Image, p state.Place) error {
	id := "scan/" + plan.ScanID(j) + "/" + string(j.State) + "/" + p.Registry + "/" + p.Repository
	meta := events.Meta{ID: id, Source: "worker/" + p.Registry, Time: j.EndedAt}
	switch j.State {
	case state.JobDone:
		e, err := events.New(Completed(j, img, p), meta)
		if err != nil {
			return err
		}
		return s.Bus.Publish(ctx, failpoint.ScanCompleted, e)
	case state.JobFailed:
		e, err := events.New(progress(events.ScanFailed, j, p, verdict.Failed), meta)
		if err != nil {
			return err
		}
		return s.Bus.Publish(ctx, failpoint.ScanFailed, e)
	case state.JobCancelled:
		e, err := events.New(progress(events.ScanCancelled, j, p, img.Status), meta)
		if err != nil {
			return err
		}
		return s.Bus.Publish(ctx, failpoint.CancelPublish, e)
	case state.JobQueued, state.JobRunning:
	}
	return nil
}

func progress(kind events.Kind, j state.Job, p state.Place, status verdict.Status) events.ScanEvent {
	e := events.ScanEvent{
		Kind: kind, Scan: plan.ScanID(j), Image: p.Event(), Generation: j.Generation, Status: int(status),
		Lane: j.Lane, Rules: j.Rules(), Attempt: j.Attempts.Errors + j.Attempts.Crashes + 1, At: j.EndedAt,
	}
	if kind == events.ScanFailed {
		e.Error = j.Error
	}
	if e.At.IsZero() {
		e.At = time.Now()
	}
	return e
}

// Completed is the announcement of an image's verdict at one of its places.
func Completed(j state.Job, img state.Image, p state.Place) events.ScanCompleted {
	s := img.Summary
	return events.ScanCompleted{
		Scan: plan.ScanID(j), Image: p.Event(), Inventory: img.Inventory, Database: img.Database,
		Status: int(img.Status), Report: img.Report,
		Summary: events.Counts{
			Critical: s.Critical, High: s.High, Medium: s.Medium, Low: s.Low, Negligible: s.Negligible,
			Unknown: s.Unknown, Total: s.Total, Fixable: s.Fixable, MSR: events.MSRCounts(s.MSR),
		},
		Completeness: events.Completeness{Complete: len(img.Completeness) == 0, Notes: img.Completeness},
		StartedAt:    j.StartedAt, CompletedAt: j.EndedAt, Lane: j.Lane, Rules: p.Rules,
	}
}

// bury keeps the job's wake-up as a dead letter, which names what failed and
// why. Whoever replays it has the job tried again.
func (s *Scanner) bury(ctx context.Context, j state.Job) error {
	e, err := events.New(j.WakeUp(), events.Meta{ID: "dead/" + plan.ScanID(j), Source: "worker", Time: j.EndedAt})
	if err != nil {
		return err
	}
	return s.Bus.PublishDead(ctx, failpoint.ScanDead, events.Scans, e, j.Error)
}
