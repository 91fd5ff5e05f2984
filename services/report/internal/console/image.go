package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/report/internal/crew"
	"github.com/landwaiter/landwaiter/services/report/internal/view"
)

// imagePage is the content of an image's page.
type imagePage struct {
	Image    view.Image
	Places   []view.Place
	Waiting  string // what its scan waits for; blank: nothing, or its turn
	Report   verdict.Report
	Tab      string
	Findings []finding
	Packages []verdict.Package
	Layers   []layer
	// Platforms stand in place of the above for an index.
	Platforms []row
	Trimmed   int // rows left out
}

// finding is a row of the findings, with the package it is in.
type finding struct {
	verdict.Finding
	In verdict.Package
}

// layer is a row of the layers.
type layer struct {
	verdict.Layer
	Packages, Findings int
}

// mostRows bounds a table: browsers grow slow, and the API has it all.
const mostRows = 3000

func (c *Console) image(w http.ResponseWriter, r *http.Request) error {
	d, err := events.ParseDigest(strings.Replace(r.PathValue("digest"), "-", ":", 1))
	if err != nil {
		c.message(w, http.StatusNotFound, "That is not a digest", err.Error())
		return nil
	}
	i, places, err := c.Projector.Find(r.Context(), d)
	if errors.Is(err, view.ErrNotFound) {
		c.message(w, http.StatusNotFound, "This image is not known",
			"It was never seen, or its registry no longer has it and its retention is over.")
		return nil
	}
	if err != nil {
		return err
	}
	p := imagePage{Image: i, Places: places, Tab: tabOf(r)}
	if len(i.Children) > 0 {
		found, err := c.View.List(r.Context(), view.Query{Digest: d, Limit: pageSize})
		if err != nil {
			return err
		}
		if p.Platforms, err = c.rows(r.Context(), found.Places); err != nil {
			return err
		}
	} else {
		if p.Waiting, err = c.waiting(r.Context(), i); err != nil {
			return err
		}
		if p.Report, err = c.Projector.Report(r.Context(), i, places[0]); err != nil {
			return err
		}
		p.fill()
	}
	title := places[0].Repository
	return c.render(w, http.StatusOK, "image", page{Title: title, Member: true, Here: r.URL.RequestURI(), Content: &p})
}

// waiting tells what an image waits for that waits for its scan.
func (c *Console) waiting(ctx context.Context, i view.Image) (string, error) {
	if i.Status != verdict.Pending {
		return "", nil
	}
	waiting, err := crew.Waiting(ctx, c.State, []events.Digest{i.Digest})
	return waiting[i.Digest], err
}

func tabOf(r *http.Request) string {
	tab := r.URL.Query().Get("tab")
	if slices.Contains([]string{"packages", "layers"}, tab) {
		return tab
	}
	return "findings"
}

// fill lays out the tables.
func (p *imagePage) fill() {
	packages := make(map[string]verdict.Package, len(p.Report.Packages))
	p.Layers = make([]layer, len(p.Report.Layers))
	for i, l := range p.Report.Layers {
		p.Layers[i].Layer = l
	}
	for _, pkg := range p.Report.Packages {
		packages[pkg.PURL] = pkg
		if l := p.layerOf(pkg.Layer); l != nil {
			l.Packages++
		}
	}
	for _, f := range p.Report.Findings {
		in := packages[f.Package]
		if in.Name == "" {
			in.Name, in.PURL = f.Package, f.Package
		}
		if strings.HasSuffix(f.Summary, f.ID) {
			f.Summary = "" // it only repeats the name
		}
		p.Findings = append(p.Findings, finding{Finding: f, In: in})
		if l := p.layerOf(f.Layer); l != nil {
			l.Findings++
		}
	}
	slices.SortStableFunc(p.Findings, func(a, b finding) int {
		if c := rank(a.Severity) - rank(b.Severity); c != 0 {
			return c
		}
		if c := strings.Compare(a.In.Name, b.In.Name); c != 0 {
			return c
		}
		return strings.Compare(b.ID, a.ID)
	})
	p.Packages = slices.Clone(p.Report.Packages)
	slices.SortStableFunc(p.Packages, func(a, b verdict.Package) int { return strings.Compare(a.Name, b.Name) })
	p.trim()
}

func (p *imagePage) trim() {
	switch p.Tab {
	case "packages":
		p.Trimmed = max(len(p.Packages)-mostRows, 0)
	case "findings":
		p.Trimmed = max(len(p.Findings)-mostRows, 0)
	}
	p.Packages = p.Packages[:min(len(p.Packages), mostRows)]
	p.Findings = p.Findings[:min(len(p.Findings), mostRows)]
}

func (p *imagePage) layerOf(ref verdict.LayerRef) *layer {
	if ref.Index < 0 || ref.Index >= len(p.Layers) {
		return nil
	}
	return &p.Layers[ref.Index]
}

func rank(s verdict.Severity) int {
	order := []verdict.Severity{verdict.Critical, verdict.High, verdict.Medium, verdict.Low, verdict.Negligible, verdict.Unknown}
	if i := slices.Index(order, s); i >= 0 {
		return i
	}
	return len(order)
}

// Reported reports whether there is a verdict to show.
func (p *imagePage) Reported() bool { return p.Image.Report != "" }

// Clean reports whether everything was looked at and nothing found: only then
// the page may say so.
func (p *imagePage) Clean() bool {
	return p.Reported() && p.Report.Completeness.Complete && p.Report.Summary.Total == 0 &&
		p.Report.Database.Version != "" && p.Image.Status != verdict.Failed
}
