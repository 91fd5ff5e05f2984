package landwaiter

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/client"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/printout"
	"github.com/landwaiter/landwaiter/services/landwaiter/internal/terminal"
)

// answered is a request as the API shows it.
type answered = client.Request

// requester asks for scans and waits for what becomes of them.
type requester struct {
	client *client.Client
	env    Env
}

// look is how often the pipeline is asked how far it is.
const look = 300 * time.Millisecond

// order is what is to be scanned.
type order struct {
	Image     string   `json:"image"`
	Platforms []string `json:"platforms,omitempty"`
	Force     bool     `json:"force,omitempty"`
	Refetch   bool     `json:"refetch,omitempty"`
}

func (r *requester) ask(ctx context.Context, o order) (answered, error) {
	var request answered
	_, err := r.client.Ask(ctx, client.Question{Method: http.MethodPost, Path: "/scans", Body: o}, &request)
	return request, err
}

// await waits until every scan of the request has ended, whichever way.
func (r *requester) await(ctx context.Context, request answered) (answered, error) {
	line := terminal.NewLine(r.env.Stderr)
	defer line.Clear()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for !over(request) {
		if r.env.Terminal {
			line.Show(standing(request))
		}
		select {
		case <-ctx.Done():
			return request, errors.New("stopped waiting; the scan goes on: `landwaiter report` shows its report later")
		case <-tick.C:
		}
		var next answered
		_, err := r.client.Ask(ctx, client.Question{Path: "/scans/" + url.PathEscape(request.ID)}, &next)
		var problem *client.ProblemError
		switch {
		case errors.As(err, &problem) && problem.Status == http.StatusNotFound && request.State == "planning":
			continue // accepted, and not planned yet
		case err != nil:
			return request, err
		}
		request = next
	}
	switch request.State {
	case "failed":
		return request, errors.New("nothing was scanned: " + printout.Clean(request.Error))
	case "cancelled":
		return request, errors.New("the request was cancelled")
	}
	return request, nil
}

func over(request answered) bool {
	switch request.State {
	case "failed", "cancelled":
		return true
	case "planning":
		return false
	}
	for _, s := range request.Scans {
		if s.State != "done" && s.State != "failed" && s.State != "cancelled" {
			return false
		}
	}
	return true
}

// standing is how far a request is, in a line.
func standing(request answered) string {
	parts := []string{request.State}
	for _, s := range request.Scans {
		part := s.Platform.String() + ": " + s.State
		if s.Waiting != "" {
			part += ", waiting: " + s.Waiting
		}
		if s.Error != "" {
			part += " (" + s.Error + ")"
		}
		parts = append(parts, part)
	}
	return printout.Clean(strings.Join(parts, "  "))
}

// reports are the reports of a request's images.
func (r *requester) reports(ctx context.Context, request answered) ([]verdict.Report, error) {
	reports := make([]verdict.Report, 0, len(request.Scans))
	for _, s := range request.Scans {
		report, err := r.shown(ctx, s, request.Image)
		if err != nil {
			return nil, err
		}
		reports = append(reports, report)
	}
	return reports, nil
}

// shown is the report of a scan that has ended. What the pipeline shows may lag
// behind what it has done for a moment.
func (r *requester) shown(ctx context.Context, s client.Scan, ref string) (verdict.Report, error) {
	const patience = 15 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		report, err := r.report(ctx, s.Digest, ref)
		if err != nil || settled(report) {
			return report, err
		}
		select {
		case <-ctx.Done():
			return report, nil // as it is: its status says how far it is
		case <-tick.C:
		}
	}
}

func settled(r verdict.Report) bool {
	return r.Status == verdict.Failed || r.Status == verdict.Completed || (r.Status == verdict.Scanned && !r.ScannedAt.IsZero())
}

func (r *requester) report(ctx context.Context, digest, ref string) (verdict.Report, error) {
	var report verdict.Report
	_, err := r.client.Ask(ctx, reportOf(digest, ref, asJSON), &report)
	return report, err
}

// rendered is the report in a form that the server makes.
func (r *requester) rendered(ctx context.Context, digest, ref, form string) ([]byte, error) {
	raw, _, err := r.client.Raw(ctx, reportOf(digest, ref, form))
	return raw, err
}

func reportOf(digest, ref, form string) client.Question {
	q := url.Values{"format": {form}}
	if ref != "" {
		q.Set("ref", ref)
	}
	return client.Question{Path: "/reports/" + digest, Query: q}
}
