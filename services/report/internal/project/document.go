package project

import (
	"cmp"
	"slices"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/report/internal/view"
)

// fallbackCheck is how long a place of which no schedule is known may go
// without a check.
const fallbackCheck = 24 * time.Hour

// imageDocument is what the view shows of an image. i and j may be nil.
func imageDocument(d events.Digest, i *state.Image, j *state.Job, places []state.Place) view.Image {
	status := statusOf(i, j)
	doc := view.Image{Digest: d, Status: status, Error: errorOf(status, i, j)}
	if i == nil {
		doc.Platform = verdict.Platform(places[0].Platform)
		return doc
	}
	doc.MediaType, doc.Platform = i.MediaType, verdict.Platform(i.Platform)
	doc.Summary, doc.Incomplete, doc.Report = i.Summary, i.Completeness, i.Report
	doc.ScannedAt, doc.MatchedAt, doc.Database, doc.DatabaseAt = i.ScannedAt, i.MatchedAt, i.Database, i.DatabaseAt
	for _, c := range i.Children {
		doc.Children = append(doc.Children, view.Child{Digest: c.Digest, Platform: verdict.Platform(c.Platform)})
	}
	return doc
}

// entry is what the view shows of a place, and for how long.
func entry(i view.Image, p state.Place) view.Entry {
	e := view.Entry{Until: p.ExpiresAt(), Safety: safety(p)}
	e.Place = view.Place{
		ID:       view.PlaceID(state.PlaceKey(p.Digest, p.Registry, p.Repository), p.FirstSeen),
		Registry: p.Registry, Host: p.Host, Repository: p.Repository, Tags: p.Event().Tags,
		Digest: p.Digest, Index: p.Index || len(i.Children) > 0, Platform: i.Platform,
		Status: i.Status, Error: i.Error, Reported: i.Known(), Incomplete: i.Incomplete, Summary: i.Summary,
		ScannedAt: i.ScannedAt, MatchedAt: i.MatchedAt,
		PushedAt: p.PushedAt, FirstSeen: p.FirstSeen, Origin: p.Origin, LastSeen: p.LastSeen,
		MissingSince: p.MissingSince, Missing: p.Missing, ExpiresAt: p.ExpiresAt(),
		Rules: slices.Sorted(slices.Values(p.Rules)),
	}
	e.Place.Date, e.Place.DateSource = p.Dated()
	if e.Place.Rules == nil {
		e.Place.Rules = []string{}
	}
	return e
}

// safety is how long a present place may go unconfirmed: its retention and two
// of its checks.
func safety(p state.Place) time.Duration {
	retention := cmp.Or(p.Retention, config.DefaultRetention)
	return retention.Std() + 2*cmp.Or(p.CheckEvery.Std(), fallbackCheck)
}
