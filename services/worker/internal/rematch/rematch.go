// Package rematch makes verdicts again when the advisory database changed:
// from the stored inventory, without pulling anything.
package rematch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/assess"
	"github.com/landwaiter/landwaiter/services/worker/internal/inventory"
	"github.com/landwaiter/landwaiter/services/worker/internal/plan"
	"github.com/landwaiter/landwaiter/services/worker/internal/scan"
)

// Matcher handles the wishes for verdicts to be made again.
type Matcher struct {
	Bus       *bus.Bus
	State     *state.Store
	Databases *assess.Databases
	Teller    assess.Teller
	// Inventories reads what is stored.
	Inventories *inventory.Decoder
	Now         func() time.Time
	Log         *zap.Logger
}

// Handle makes the image's verdict current. One that is current already, of an
// image that has gone or was never scanned, is left alone. A worker that has
// not opened the current database leaves the work to the others: it must not
// take a verdict back to an older one.
func (m *Matcher) Handle(ctx context.Context, d bus.Delivery) error {
	e, ok := d.Data().(events.VerdictRequested)
	if !ok {
		return bus.DeadLetter(fmt.Errorf("%s is no verdict request", d.Kind()))
	}
	for {
		rec, err := m.State.Images.Get(ctx, e.Digest.Token())
		if errors.Is(err, state.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if rec.Value.Inventory == "" {
			return nil
		}
		// Of a verdict that is one version behind, and a wish for the database
		// that is open here, it is known without asking which is newer. Else it
		// is asked for after the record was read: no verdict is newer than it.
		if !m.Databases.Replaced(e.Database, rec.Value.Database) {
			current, err := m.Databases.Current(ctx)
			if err != nil {
				return err
			}
			if current != m.Databases.Version() {
				return bus.Later(time.Second, errors.New("the current database is not open here yet"))
			}
			if rec.Value.Database == current {
				return m.finish(ctx, e.Digest)
			}
		}
		err = m.make(ctx, rec)
		if !errors.Is(err, state.ErrConflict) {
			return err
		}
	}
}

func (m *Matcher) make(ctx context.Context, rec state.Record[state.Image]) error {
	img := rec.Value
	raw, err := m.State.Inventories.Get(ctx, img.Inventory, inventory.MaxEncoded)
	if errors.Is(err, state.ErrNotFound) {
		// Then the image is not known any more: the next who asks for it has it
		// scanned again. The old report stands until then.
		m.Log.Error("inventory is gone, the image is to be scanned again", zap.String("digest", string(img.Digest)))
		rec.Value.Inventory = ""
		_, err = m.State.Images.Put(ctx, failpoint.RematchImage, rec)
		return err
	}
	if err != nil {
		return err
	}
	inv, err := m.Inventories.Image(raw)
	if err != nil {
		return bus.DeadLetter(fmt.Errorf("inventory of %s: %w", img.Digest, err))
	}
	v, err := m.Databases.Make(assess.Subject{Digest: img.Digest, Platform: img.Platform, Inventory: img.Inventory}, inv)
	if err != nil {
		return err
	}
	if v.Object != img.Report {
		if err := v.Store(ctx, m.State, failpoint.RematchReport); err != nil {
			return err
		}
	}
	status, failure := img.Status, img.Error
	v.Commit(&rec.Value, m.Now())
	if failure != "" || status == verdict.Scanning {
		// A newer scan failed or runs: its state stays visible beside the
		// verdict that still stands.
		rec.Value.Status = status
	}
	if rec, err = m.State.Images.Put(ctx, failpoint.RematchImage, rec); err != nil {
		return err
	}
	if rec.Value.Announced == rec.Value.Report {
		return nil
	}
	if err := m.untold(ctx, img.Digest); err != nil {
		return err
	}
	return m.announce(ctx, rec, &v.Report)
}

// untold is an error while a scan that has ended has yet to tell of it: what it
// read for that may be the verdict before this one, which must not be told
// after it.
func (m *Matcher) untold(ctx context.Context, d events.Digest) error {
	job, err := m.State.Jobs.Get(ctx, d.Token())
	if errors.Is(err, state.ErrNotFound) {
		return nil
	}
	if err == nil && job.Value.State.Terminal() && !job.Value.Announced {
		return bus.Later(time.Second, errors.New("the image's scan is to be told first"))
	}
	return err
}

// finish tells of a verdict that is current already: a crash may have kept
// somebody from it. What a scan made the scan tells, which has only just begun
// to, or will when it is taken over. The job is read before the image: a job
// that says it told is older news than the image that says so.
func (m *Matcher) finish(ctx context.Context, d events.Digest) error {
	job, err := m.State.Jobs.Get(ctx, d.Token())
	if err != nil && !errors.Is(err, state.ErrNotFound) {
		return err
	}
	if err == nil && !job.Value.Announced {
		return m.untold(ctx, d)
	}
	img, err := m.State.Images.Get(ctx, d.Token())
	if errors.Is(err, state.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return m.announce(ctx, img, nil)
}

// announce tells of the verdict, unless that was done or it is no other than
// the one before. What a crash cut off is told when the wish comes again. report
// is the image's; nil: it is read.
func (m *Matcher) announce(ctx context.Context, rec state.Record[state.Image], report *verdict.Report) error {
	img := rec.Value
	if img.Announced == img.Report {
		return nil
	}
	job := state.Job{Digest: img.Digest, Generation: img.Generation, StartedAt: img.MatchedAt, EndedAt: m.Now()}
	places, err := m.Teller.Places(ctx, img.Digest)
	if err != nil {
		return err
	}
	for _, p := range places {
		data := scan.Completed(job, img, p)
		e, err := events.New(data, events.Meta{
			ID:     fmt.Sprintf("verdict/%s/%d/%s/%s", plan.ScanID(job), img.Verdict, p.Registry, p.Repository),
			Source: "worker/" + p.Registry, Time: data.CompletedAt,
		})
		if err != nil {
			return err
		}
		if err := m.Bus.Publish(ctx, failpoint.RematchCompleted, e); err != nil {
			return err
		}
	}
	return m.Teller.TellAt(ctx, rec, report, places)
}
