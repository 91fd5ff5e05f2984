package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/report/internal/problem"
	"github.com/landwaiter/landwaiter/services/report/internal/view"
)

// placeJSON is a place as the API shows it.
type placeJSON struct {
	Registry   string    `json:"registry"`
	Host       string    `json:"host"`
	Repository string    `json:"repository"`
	Tags       []string  `json:"tags"`
	Rules      []string  `json:"rules"`
	PushedAt   time.Time `json:"pushedAt,omitzero"`
	// Date is how old the image counts as there, and DateSource who says so.
	Date         time.Time         `json:"date,omitzero"`
	DateSource   events.DateSource `json:"dateSource,omitempty"`
	FirstSeenAt  time.Time         `json:"firstSeenAt"`
	LastSeenAt   time.Time         `json:"lastSeenAt"`
	MissingSince time.Time         `json:"missingSince,omitzero"`
	Missing      string            `json:"missing,omitempty"`
	ExpiresAt    time.Time         `json:"expiresAt,omitzero"`
}

// imageJSON is an image as the API shows it. In a list it has one place, whose
// fields it repeats.
type imageJSON struct {
	Digest    events.Digest    `json:"digest"`
	MediaType string           `json:"mediaType,omitempty"`
	Platform  verdict.Platform `json:"platform"`
	Status    verdict.Status   `json:"status"`
	Error     string           `json:"error,omitempty"`
	Waiting   string           `json:"waiting,omitempty"`
	// Summary is null while there is no verdict: no findings known is not "no
	// findings".
	Summary    *verdict.Summary `json:"summary,omitempty"`
	Complete   bool             `json:"complete"`
	Incomplete []string         `json:"incomplete,omitempty"`
	ScannedAt  time.Time        `json:"scannedAt,omitzero"`
	MatchedAt  time.Time        `json:"matchedAt,omitzero"`
	Database   string           `json:"database,omitempty"`
	Places     []placeJSON      `json:"places"`
	Platforms  []imageJSON      `json:"platforms,omitempty"`
	*flatPlace
}

// flatPlace is what a list's entry tells of its place beside the image.
type flatPlace struct {
	Registry     string    `json:"registry"`
	Host         string    `json:"host"`
	Repository   string    `json:"repository"`
	Tags         []string  `json:"tags"`
	Rules        []string  `json:"rules"`
	FirstSeen    time.Time `json:"firstSeen"`
	LastSeen     time.Time `json:"lastSeen"`
	MissingSince time.Time `json:"missingSince,omitzero"`
	ExpiresAt    time.Time `json:"expiresAt,omitzero"`
}

type imagePage struct {
	Images     []imageJSON `json:"images"`
	Next       string      `json:"next"`
	NextCursor string      `json:"nextCursor,omitempty"`
	// Rebuilding says that the view is being built: images may be missing.
	Rebuilding bool `json:"rebuilding,omitempty"`
}

func showPlace(p view.Place) placeJSON {
	return placeJSON{
		Registry: p.Registry, Host: p.Host, Repository: p.Repository, Tags: p.Tags, Rules: p.Rules,
		PushedAt: p.PushedAt, Date: p.Date, DateSource: p.DateSource, FirstSeenAt: p.FirstSeen, LastSeenAt: p.LastSeen,
		MissingSince: p.MissingSince, Missing: p.Missing, ExpiresAt: p.ExpiresAt,
	}
}

func showEntry(p view.Place) imageJSON {
	i := imageJSON{
		Digest: p.Digest, Platform: p.Platform, Status: p.Status, Error: p.Error,
		Complete: p.Reported && len(p.Incomplete) == 0, Incomplete: p.Incomplete,
		ScannedAt: p.ScannedAt, MatchedAt: p.MatchedAt, Places: []placeJSON{showPlace(p)},
		flatPlace: &flatPlace{
			Registry: p.Registry, Host: p.Host, Repository: p.Repository, Tags: p.Tags, Rules: p.Rules,
			FirstSeen: p.FirstSeen, LastSeen: p.LastSeen, MissingSince: p.MissingSince, ExpiresAt: p.ExpiresAt,
		},
	}
	if p.Reported {
		i.Summary = &p.Summary
	}
	return i
}

func showImage(i view.Image, places []view.Place) imageJSON {
	out := imageJSON{
		Digest: i.Digest, MediaType: i.MediaType, Platform: i.Platform, Status: i.Status, Error: i.Error,
		Complete: i.Known() && len(i.Incomplete) == 0, Incomplete: i.Incomplete,
		ScannedAt: i.ScannedAt, MatchedAt: i.MatchedAt, Database: i.Database, Places: []placeJSON{},
	}
	if i.Known() {
		out.Summary = &i.Summary
	}
	for _, p := range places {
		out.Places = append(out.Places, showPlace(p))
	}
	return out
}

func (a *API) listImages(w http.ResponseWriter, r *http.Request) error {
	q, err := queryOf(r.URL.Query())
	if err != nil {
		return problem.New(http.StatusBadRequest, err.Error(), "")
	}
	return a.answerList(w, r, q)
}

func (a *API) listVulnerable(w http.ResponseWriter, r *http.Request) error {
	q, err := queryOf(r.URL.Query())
	if err != nil {
		return problem.New(http.StatusBadRequest, err.Error(), "")
	}
	q.Vulnerability = r.PathValue("vulnerability")
	return a.answerList(w, r, q)
}

func (a *API) answerList(w http.ResponseWriter, r *http.Request, q view.Query) error {
	if q.Digest != "" {
		// Known to the state but not yet to the view: it is projected now.
		if _, _, err := a.Projector.Find(r.Context(), q.Digest); err != nil && !errors.Is(err, view.ErrNotFound) {
			return err
		}
	}
	var page view.Page
	whole, err := a.Keeper.Through(r.Context(), func(ctx context.Context) (err error) {
		page, err = a.View.List(ctx, q)
		return err
	})
	if err != nil {
		return err
	}
	out := imagePage{
		Images: make([]imageJSON, 0, len(page.Places)), Next: page.Next, NextCursor: page.Next, Rebuilding: !whole,
	}
	for _, p := range page.Places {
		out.Images = append(out.Images, showEntry(p))
	}
	if err := a.imagesWait(r.Context(), pointers(out.Images)); err != nil {
		return err
	}
	return write(w, http.StatusOK, out)
}

// digestOf reads the path's digest, also with a hyphen for its colon.
func digestOf(r *http.Request) (events.Digest, error) {
	s := r.PathValue("digest")
	d, err := events.ParseDigest(strings.Replace(s, "-", ":", 1))
	if err != nil {
		return "", problem.New(http.StatusBadRequest, err.Error(), "a tag is resolved by GET /api/v1/images?ref=host/repository:tag")
	}
	return d, nil
}

func (a *API) getImage(w http.ResponseWriter, r *http.Request) error {
	d, err := digestOf(r)
	if err != nil {
		return err
	}
	i, places, err := a.Projector.Find(r.Context(), d)
	if err != nil {
		return unknownImage(d, err)
	}
	a.Projector.Seen(r.Context(), pointers(places)...)
	out := showImage(a.Projector.Current(r.Context(), i), places)
	if len(i.Children) > 0 {
		if err := a.rollUp(r, i, &out); err != nil {
			return err
		}
	}
	if err := a.imagesWait(r.Context(), append(pointers(out.Platforms), &out)); err != nil {
		return err
	}
	return write(w, http.StatusOK, out)
}

func pointers[T any](all []T) []*T {
	out := make([]*T, len(all))
	for i := range all {
		out[i] = &all[i]
	}
	return out
}

func unknownImage(d events.Digest, err error) error {
	if errors.Is(err, view.ErrNotFound) {
		return problem.New(http.StatusNotFound, "no image "+string(d)+" is known",
			"POST /api/v1/scans (landwaiter scan REF) scans one; a rule makes images known as they are pushed or swept")
	}
	return err
}

// rollUp fills in an index's platforms, and makes the index as bad and as
// unfinished as the worst of them.
func (a *API) rollUp(r *http.Request, i view.Image, out *imageJSON) error {
	digests := make([]events.Digest, len(i.Children))
	for n, c := range i.Children {
		digests[n] = c.Digest
	}
	found, err := a.View.Images(r.Context(), digests)
	if err != nil {
		return err
	}
	out.Status, out.Complete, out.Summary = verdict.Completed, true, nil
	for _, c := range i.Children {
		child, known := found[c.Digest]
		if !known {
			child = view.Image{Digest: c.Digest, Platform: c.Platform, Status: verdict.Unscanned}
		}
		shown := showImage(child, nil)
		out.Platforms = append(out.Platforms, shown)
		out.Status = min(out.Status, child.Status)
		out.Complete = out.Complete && shown.Complete
		out.Summary = worse(out.Summary, shown.Summary)
	}
	return nil
}

// worse is the more severe of two summaries, either of which may be missing.
func worse(a, b *verdict.Summary) *verdict.Summary {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	pairs := [][2]int{{a.Critical, b.Critical}, {a.High, b.High}, {a.Medium, b.Medium}, {a.Low, b.Low}, {a.Total, b.Total}}
	for _, p := range pairs {
		if p[0] != p[1] {
			if p[0] > p[1] {
				return a
			}
			return b
		}
	}
	return a
}
