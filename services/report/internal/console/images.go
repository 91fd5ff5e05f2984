package console

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/report/internal/crew"
	"github.com/landwaiter/landwaiter/services/report/internal/view"
)

// pageSize is how many images a page shows.
const pageSize = 50

// imageList is the content of the list of images.
type imageList struct {
	Search, Severity, Status string
	Mistake                  string
	Conditions               []state.Condition // of registries that cannot be read
	Places                   []row
	Next                     string // address of the next page
	Paged                    bool   // this is not the first one
	Total                    int64
	Tally                    view.Tally
	Severities               []verdict.Severity
	Statuses                 []verdict.Status
}

// AtLeast counts the images with a finding that bad or worse.
func (l imageList) AtLeast(s verdict.Severity) int64 { return l.Tally.Severity[s] }

func (c *Console) images(w http.ResponseWriter, r *http.Request) error {
	values := r.URL.Query()
	l := imageList{
		Search: strings.TrimSpace(values.Get("q")), Severity: values.Get("severity"), Status: values.Get("status"),
		Paged:      values.Get("after") != "",
		Severities: []verdict.Severity{verdict.Critical, verdict.High, verdict.Medium, verdict.Low},
		Statuses: []verdict.Status{
			verdict.Completed, verdict.Pending, verdict.Scanning, verdict.Checking, verdict.Failed, verdict.Unscanned,
		},
	}
	q := view.Query{Limit: pageSize, After: values.Get("after"), Severity: verdict.Severity(l.Severity)}
	for s := verdict.Failed; s <= verdict.Completed; s++ {
		if l.Status == stand(s) {
			q.Status = &s
		}
	}
	l.Mistake = search(&q, l.Search)
	var found view.Page
	whole, err := c.Keeper.Through(r.Context(), func(ctx context.Context) (err error) {
		found, err = c.View.List(ctx, q)
		return err
	})
	if err != nil {
		return err
	}
	if l.Tally, err = c.View.Tally(r.Context()); err != nil {
		return err
	}
	if l.Total, err = c.View.Count(r.Context()); err != nil {
		return err
	}
	if l.Conditions, err = c.conditions(r.Context()); err != nil {
		return err
	}
	if l.Places, err = c.rows(r.Context(), found.Places); err != nil {
		return err
	}
	if found.Next != "" {
		l.Next = "/?" + url.Values{"q": {l.Search}, "severity": {l.Severity}, "status": {l.Status}, "after": {found.Next}}.Encode()
	}
	return c.render(w, http.StatusOK, "images", page{Title: "Images", Member: true, Building: !whole, Here: r.URL.RequestURI(), Content: l})
}

// row is a place in a list, with what its image waits for.
type row struct {
	view.Place

	Waiting string // blank: nothing, or its turn
}

func (c *Console) rows(ctx context.Context, places []view.Place) ([]row, error) {
	var pending []events.Digest
	for _, p := range places {
		if p.Status == verdict.Pending {
			pending = append(pending, p.Digest)
		}
	}
	waiting, err := crew.Waiting(ctx, c.State, pending)
	rows := make([]row, len(places))
	for i, p := range places {
		rows[i] = row{Place: p, Waiting: waiting[p.Digest]}
	}
	return rows, err
}

// search reads the search box: name:value for one filter each, and one word
// that is a vulnerability, a digest, a reference or a repository.
func search(q *view.Query, text string) (mistake string) {
	for word := range strings.FieldsSeq(text) {
		name, value, named := strings.Cut(word, ":")
		switch {
		case named && name == "package":
			q.Package = value
		case named && name == "registry":
			q.Registry = value
		case named && name == "tag":
			q.Tag = value
		case named && (name == "vulnerability" || name == "id"):
			q.Vulnerability = value
		case isVulnerability(word):
			q.Vulnerability = word
		default:
			if m := searchImage(q, word); m != "" {
				return m
			}
		}
	}
	return ""
}

func isVulnerability(word string) bool {
	upper := strings.ToUpper(word)
	for _, p := range []string{"CVE-", "GHSA-", "DSA-", "DLA-", "USN-", "RHSA-", "ALSA-", "PYSEC-", "GO-", "DEBIAN-CVE-", "ALPINE-CVE-"} {
		if strings.HasPrefix(upper, p) {
			return true
		}
	}
	return false
}

func searchImage(q *view.Query, word string) (mistake string) {
	if _, digest, pinned := strings.Cut(word, "@"); pinned || strings.HasPrefix(word, "sha256:") {
		if !pinned {
			digest = word
		}
		d, err := events.ParseDigest(digest)
		if err != nil {
			return err.Error()
		}
		q.Digest = d
		return ""
	}
	q.Text = word
	return ""
}
