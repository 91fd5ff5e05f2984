package api

import (
	"bytes"
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/landwaiter/landwaiter/services/internal/render"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/report/internal/problem"
	"github.com/landwaiter/landwaiter/services/report/internal/reference"
	"github.com/landwaiter/landwaiter/services/report/internal/view"
)

func (a *API) getReport(w http.ResponseWriter, r *http.Request) error {
	d, err := digestOf(r)
	if err != nil {
		return err
	}
	format, err := formatOf(r)
	if err != nil {
		return err
	}
	order, err := orderOf(r.URL.Query().Get("sort"))
	if err != nil {
		return err
	}
	i, places, err := a.Projector.Find(r.Context(), d)
	if err != nil {
		return unknownImage(d, err)
	}
	if len(i.Children) > 0 {
		return problem.New(http.StatusConflict, string(d)+" is an index of platform images, each of which has its own report",
			"GET /api/v1/images/"+string(d)+" lists them under platforms")
	}
	place, err := placeOf(places, r.URL.Query().Get("ref"))
	if err != nil {
		return err
	}
	report, err := a.Projector.Report(r.Context(), i, place)
	if err != nil {
		return err
	}
	slices.SortStableFunc(report.Findings, order)
	if format != render.JSON {
		return writeForm(w, format, report)
	}
	return write(w, http.StatusOK, report)
}

// orderOf reads what findings are to be ordered by; among equals, and where
// nothing is asked for, the worst severity comes first.
func orderOf(by string) (func(a, b verdict.Finding) int, error) {
	switch by {
	case "", "severity":
		return func(verdict.Finding, verdict.Finding) int { return 0 }, nil // as they are
	case "epss":
		return func(a, b verdict.Finding) int { return cmp.Compare(likelihood(b), likelihood(a)) }, nil
	case "kev":
		return func(a, b verdict.Finding) int {
			if a.KEV != b.KEV {
				return map[bool]int{true: -1, false: 1}[a.KEV]
			}
			return cmp.Compare(likelihood(b), likelihood(a))
		}, nil
	default:
		return nil, problem.New(http.StatusBadRequest, "findings are not sorted by "+strconv.Quote(by), "sort by severity, epss or kev")
	}
}

// likelihood is a finding's EPSS score; below any where it has none.
func likelihood(f verdict.Finding) float64 {
	if f.EPSS == nil {
		return -1
	}
	return f.EPSS.Score
}

// placeOf picks the place a reference names; without one a place that is there
// goes before one that is missing.
func placeOf(places []view.Place, ref string) (view.Place, error) {
	if ref == "" {
		for _, p := range places {
			if p.MissingSince.IsZero() {
				return p, nil
			}
		}
		return places[0], nil
	}
	want, err := reference.Parse(ref)
	if err != nil {
		return view.Place{}, problem.New(http.StatusBadRequest, err.Error(), "")
	}
	for _, p := range places {
		if p.Host == want.Host && p.Repository == want.Repository {
			return p, nil
		}
	}
	return view.Place{}, problem.New(http.StatusNotFound, "the image is not known at "+want.String(), "leave ref out, or name one of the image's places")
}

// formatOf is what the format parameter or the Accept header asks for.
func formatOf(r *http.Request) (render.Form, error) {
	asked, accept := r.URL.Query().Get("format"), r.Header.Get("Accept")
	form, known := render.Form(asked), true
	switch {
	case asked != "":
		known = form == render.JSON || form.Known()
	case accept != "":
		asked = accept
		form, known = render.Accepted(accept)
	default:
		form = render.JSON
	}
	if !known {
		return "", problem.New(http.StatusNotAcceptable, "reports do not come as "+strconv.Quote(asked),
			fmt.Sprintf("ask for one of %s, %v", render.JSON, render.Forms()))
	}
	return form, nil
}

// writeForm answers with the report in one of its other forms.
func writeForm(w http.ResponseWriter, form render.Form, r verdict.Report) error {
	var b bytes.Buffer
	if err := render.Write(&b, form, r); err != nil {
		return err
	}
	w.Header().Set("Content-Type", form.ContentType())
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(b.Bytes())
	return nil
}
