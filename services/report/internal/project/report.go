package project

import (
	"context"
	"encoding/json"
	"errors"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/report/internal/view"
)

// MaxReport bounds a stored report, in bytes: far above the largest images
// known, whose reports take a few megabytes.
const MaxReport = 128 << 20

// addReport reads the image's report and what it makes the image found by,
// unless the view has it already.
func (p *Projector) addReport(ctx context.Context, pic *view.Picture, had events.Digest) error {
	d := pic.Image.Report
	if d == "" {
		return nil
	}
	if d == had {
		pic.SameReport = true
		return nil
	}
	raw, err := p.state.Reports.Get(ctx, d, MaxReport)
	if errors.Is(err, state.ErrNotFound) {
		// Without it nothing is known of the image, whatever its record says.
		p.loseReport(pic, err)
		return nil
	}
	if err != nil {
		return err
	}
	var r verdict.Report
	if err := json.Unmarshal(raw, &r); err != nil {
		p.loseReport(pic, err)
		return nil
	}
	pic.Vulnerabilities, pic.Packages = terms(r)
	pic.Report = raw
	return nil
}

// loseReport makes the picture say that there is no report.
func (p *Projector) loseReport(pic *view.Picture, reason error) {
	p.log.Warn("report lost", zap.String("image", string(pic.Image.Digest)),
		zap.String("report", string(pic.Image.Report)), zap.Error(reason))
	lose := func(s *verdict.Status) {
		if *s == verdict.Completed {
			*s = verdict.Unscanned
		}
	}
	pic.Image.Report, pic.Image.Summary = "", verdict.Summary{}
	lose(&pic.Image.Status)
	for i := range pic.Entries {
		place := &pic.Entries[i].Place
		place.Reported, place.Summary = false, verdict.Summary{}
		lose(&place.Status)
	}
}

// terms are the vulnerabilities, by all of their names, and the packages of a
// report.
func terms(r verdict.Report) (vulnerabilities, packages []string) {
	for _, f := range r.Findings {
		vulnerabilities = append(append(vulnerabilities, f.ID), f.Aliases...)
	}
	for _, p := range r.Packages {
		packages = append(packages, p.Name)
		if p.Source.Name != "" {
			packages = append(packages, p.Source.Name)
		}
	}
	return vulnerabilities, packages
}
