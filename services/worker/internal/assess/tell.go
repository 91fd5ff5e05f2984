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
func (t Teller) Tell(ctx context.Context, rec state.Record[state.Image]) error {
	if img := rec.Value; img.Report == "" || img.Announced == img.Report {
		return nil
	}
	places, err := t.Places(ctx, rec.Value.Digest)
	if err != nil {
		return err
	}
	return t.TellAt(ctx, rec, nil, places)
}

// Places lists where an image lies.
func (t Teller) Places(ctx context.Context, d events.Digest) ([]state.Place, error) {
	records, err := t.State.Places.List(ctx, state.PlacesOfImage(d))
	places := make([]state.Place, 0, len(records))
	for _, p := range records {
		places = append(places, p.Value)
	}
	return places, err
}

// TellAt is Tell for whoever knows the image's places, and the report that
// stands in its record; nil: it is read.
func (t Teller) TellAt(ctx context.Context, rec state.Record[state.Image], after *verdict.Report, places []state.Place) error {
	img := rec.Value
	if img.Report == "" || img.Announced == img.Report {
		return nil
	}
	diff, err := t.difference(ctx, img, after)
	switch {
	case errors.Is(err, state.ErrNotFound):
		// Nobody can say any more what changed; the next verdict will again.
		t.Log.Error("changed findings not told: a report is gone", zap.String("digest", string(img.Digest)), zap.Error(err))
	case err != nil:
		return err
	case diff.Counts != (events.ChangeCounts{}):
		if err := t.publish(ctx, img, diff, places); err != nil {
			return err
		}
	}
	return t.told(ctx, rec)
}

// told notes that the record's report was told of, unless somebody else did.
func (t Teller) told(ctx context.Context, rec state.Record[state.Image]) error {
	before, told := rec.Value.Announced, rec.Value.Report
	_, err := t.State.Images.ChangeFrom(ctx, failpoint.FindingsTold, rec, func(img *state.Image, exists bool) error {
		if !exists || img.Announced != before {
			return state.ErrUnchanged
		}
		img.Announced = told
		return nil
	})
	return err
}

func (t Teller) difference(ctx context.Context, img state.Image, after *verdict.Report) (events.FindingsChanged, error) {
	if after == nil {
		r, err := t.report(ctx, img.Report)
		if err != nil {
			return events.FindingsChanged{}, err
		}
		after = &r
	}
	if img.Announced == "" {
		return Difference(nil, *after), nil
	}
	before, err := t.report(ctx, img.Announced)
	return Difference(&before, *after), err
}

// report reads as much of a report as tells differences: the packages, which
// are most of it, are passed over.
func (t Teller) report(ctx context.Context, d events.Digest) (verdict.Report, error) {
	var r struct {
		Inventory string            `json:"inventory"`
		Findings  []verdict.Finding `json:"findings"`
	}
	raw, err := t.State.Reports.Get(ctx, d, MaxReport)
	if err == nil {
		err = json.Unmarshal(raw, &r)
	}
	return verdict.Report{Inventory: r.Inventory, Findings: r.Findings}, err
}

func (t Teller) publish(ctx context.Context, img state.Image, diff events.FindingsChanged, places []state.Place) error {
	diff.Before, diff.Report = img.Announced, img.Report
	pair := state.DigestOf([]byte(img.Announced + img.Report)).Token()
	for i := range places {
		p := &places[i]
		diff.Image = p.Event()
		e, err := events.New(diff, events.Meta{
			ID:     fmt.Sprintf("findings/%s/%d/%s/%s", pair, img.Verdict, p.Registry, p.Repository),
			Source: "worker/" + p.Registry, Time: t.Now(),
		})
		if err != nil {
			return err
		}
		if err := t.Bus.Publish(ctx, failpoint.FindingsPublish, e); err != nil {
			return err
		}
	}
	return nil
}
