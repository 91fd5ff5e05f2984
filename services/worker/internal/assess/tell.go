package assess

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
)

// Teller tells what is different in an image's verdict. The record says which
// report was told of last: whoever finds another one there says what changed,
// and a crash in between loses nothing.
type Teller struct {
	Bus   *bus.Bus
	State *state.Store
	Now   func() time.Time
	Log   *zap.Logger
}

// Tell publishes findings.changed at each place of the image, if there is a
// difference that nobody was told of, and notes in the record that it did. The
// ids are of the two reports: telling twice is telling once.
func (t Teller) Tell(ctx context.Context, img state.Image) error {
	if img.Report == "" || img.Announced == img.Report {
		return nil
	}
	diff, err := t.difference(ctx, img)
	switch {
	case errors.Is(err, state.ErrNotFound):
		// Nobody can say any more what changed; the next verdict will again.
		t.Log.Error("changed findings not told: a report is gone", zap.String("digest", string(img.Digest)), zap.Error(err))
	case err != nil:
		return err
	case diff.Counts != (events.ChangeCounts{}):
		if err := t.publish(ctx, img, diff); err != nil {
			return err
		}
	}
	_, err = t.State.Images.Change(ctx, failpoint.FindingsTold, img.Digest.Token(), func(rec *state.Image, exists bool) error {
		if !exists || rec.Announced != img.Announced {
			return state.ErrUnchanged // somebody else told
		}
		rec.Announced = img.Report
		return nil
	})
	return err
}

func (t Teller) difference(ctx context.Context, img state.Image) (events.FindingsChanged, error) {
	after, err := t.report(ctx, img.Report)
	if err != nil {
		return events.FindingsChanged{}, err
	}
	if img.Announced == "" {
		return Difference(nil, after), nil
	}
	before, err := t.report(ctx, img.Announced)
	return Difference(&before, after), err
}

func (t Teller) report(ctx context.Context, d events.Digest) (verdict.Report, error) {
	var r verdict.Report
	raw, err := t.State.Reports.Get(ctx, d, MaxReport)
	if err == nil {
		err = json.Unmarshal(raw, &r)
	}
	return r, err
}

func (t Teller) publish(ctx context.Context, img state.Image, diff events.FindingsChanged) error {
	diff.Before, diff.Report = img.Announced, img.Report
	pair := state.DigestOf([]byte(img.Announced + img.Report)).Token()
	return t.State.Places.All(ctx, state.PlacesOfImage(img.Digest), func(p state.Record[state.Place]) error {
		diff.Image = p.Value.Event()
		e, err := events.New(diff, events.Meta{
			ID:     fmt.Sprintf("findings/%s/%d/%s/%s", pair, img.Verdict, p.Value.Registry, p.Value.Repository),
			Source: "worker/" + p.Value.Registry, Time: t.Now(),
		})
		if err != nil {
			return err
		}
		return t.Bus.Publish(ctx, failpoint.FindingsPublish, e)
	})
}
