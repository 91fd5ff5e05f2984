package project

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/report/internal/view"
)

// The codes of completeness notes that only a served report has.
const (
	NoteNoReport   = "no-report"   // the image has not been scanned to its end yet
	NoteScanFailed = "scan-failed" // the newest scan failed: what is shown is of an older one, or nothing
)

// Report is the report of an image at a place, with the state of its newest
// scan. An image without a verdict has one that says so.
func (p *Projector) Report(ctx context.Context, i view.Image, place view.Place) (verdict.Report, error) {
	i = p.Current(ctx, i)
	p.Seen(ctx, &place)
	r := verdict.Report{}
	raw, err := p.reportJSON(ctx, i)
	switch {
	case errors.Is(err, view.ErrNotFound):
		r.Completeness.Notes = append(r.Completeness.Notes, verdict.Note{
			Code: NoteNoReport, Message: "the image has no report yet: nothing is known about its packages",
		})
	case err != nil:
		return r, err
	default:
		if err := json.Unmarshal(raw, &r); err != nil {
			return r, fmt.Errorf("decode report of %s: %w", i.Digest, err)
		}
	}
	r.Image = verdict.Image{
		Registry: place.Registry, Host: place.Host, Repository: place.Repository, Tags: place.Tags,
		Digest: string(i.Digest), Platform: i.Platform, Rules: place.Rules,
		Date: place.Date, DateSource: string(place.DateSource), LastSeenAt: place.LastSeen,
	}
	r.Status, r.Error = i.Status, i.Error
	date(&r, i)
	if i.Status == verdict.Failed {
		r.Completeness.Complete = false
		r.Completeness.Notes = append(r.Completeness.Notes, verdict.Note{
			Code: NoteScanFailed, Message: "the newest scan failed: " + i.Error,
		})
	}
	fillLists(&r)
	return r, nil
}

// Find reads an image from the view, or where the view has not heard of it yet,
// from the state by way of the view.
func (p *Projector) Find(ctx context.Context, d events.Digest) (view.Image, []view.Place, error) {
	i, places, err := p.view.Image(ctx, d)
	if !errors.Is(err, view.ErrNotFound) {
		return i, places, err
	}
	if err := p.Image(ctx, d, false); err != nil {
		return view.Image{}, nil, err
	}
	return p.view.Image(ctx, d)
}

// recordTimeout bounds the look at an image's record: the view can be served
// without it.
const recordTimeout = 500 * time.Millisecond

// Current is the image with the database that its verdict holds for now. When
// a new one leaves a verdict as it is, only the record says so, and the view is
// not written again.
func (p *Projector) Current(ctx context.Context, i view.Image) view.Image {
	if i.Report == "" {
		return i
	}
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	rec, err := p.state.Images.Get(ctx, i.Digest.Token())
	if err != nil || rec.Value.Report != i.Report {
		return i
	}
	i.MatchedAt, i.Database, i.DatabaseAt = rec.Value.MatchedAt, rec.Value.Database, rec.Value.DatabaseAt
	return i
}

// Seen tells of places when they were last seen at their registries. A look
// that finds one as it was is only in its record, and the view is not written
// again.
func (p *Projector) Seen(ctx context.Context, places ...*view.Place) {
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	for _, place := range places {
		rec, err := p.state.Places.Get(ctx, state.PlaceKey(place.Digest, place.Registry, place.Repository))
		if err == nil && rec.Value.LastSeen.After(place.LastSeen) {
			place.LastSeen = rec.Value.LastSeen
		}
	}
}

// date adds what a stored report leaves out, so that the same verdict is the
// same object: when it was made, and with what.
func date(r *verdict.Report, i view.Image) {
	if r.Inventory == "" {
		return // there is none
	}
	r.ScannedAt, r.MatchedAt = i.ScannedAt, i.MatchedAt
	if r.Database.Version != i.Database || !i.DatabaseAt.IsZero() {
		r.Database = verdict.Database{Version: i.Database, UpdatedAt: i.DatabaseAt}
	}
}

// fillLists makes absent lists empty ones, as the contract has them.
func fillLists(r *verdict.Report) {
	if r.Image.Tags == nil {
		r.Image.Tags = []string{}
	}
	if r.Completeness.Notes == nil {
		r.Completeness.Notes = []verdict.Note{}
	}
	if r.Layers == nil {
		r.Layers = []verdict.Layer{}
	}
	if r.Packages == nil {
		r.Packages = []verdict.Package{}
	}
	if r.Findings == nil {
		r.Findings = []verdict.Finding{}
	}
}

// reportJSON reads the stored report from the view, and where the view has
// lost it, from the state.
func (p *Projector) reportJSON(ctx context.Context, i view.Image) ([]byte, error) {
	if i.Report == "" {
		return nil, view.ErrNotFound
	}
	raw, err := p.view.Report(ctx, i.Digest)
	if !errors.Is(err, view.ErrNotFound) {
		return raw, err
	}
	return p.state.Reports.Get(ctx, i.Report, MaxReport)
}
