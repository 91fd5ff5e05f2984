package api

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/report/internal/reference"
	"github.com/landwaiter/landwaiter/services/report/internal/view"
)

// The sizes of a page.
const (
	defaultLimit = 100
	maxLimit     = 500
	maxFilter    = 300 // characters of one filter
)

// eachFilter gives set the parameters of a list that are not blank. A name that
// is none of the list's is a mistake: ignoring it would list too much.
func eachFilter(values url.Values, set func(name, value string) error) error {
	for name, all := range values {
		value := strings.TrimSpace(all[0])
		switch {
		case len(all) > 1:
			return fmt.Errorf("filter %s is given %d times", name, len(all))
		case len(value) > maxFilter:
			return fmt.Errorf("filter %s is longer than %d characters", name, maxFilter)
		case value == "":
			continue
		}
		if err := set(name, value); err != nil {
			return err
		}
	}
	return nil
}

func noFilter(name string) error {
	return fmt.Errorf("there is no filter %q; see /api/v1/openapi.json", name)
}

func noCursor(value string) error { return fmt.Errorf("cursor %q is none that a page gave", value) }

// limitOf is the size of a page that is asked for; too large a one is cut.
func limitOf(value string) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("limit %q is not a number from 1 to %d", value, maxLimit)
	}
	return min(n, maxLimit), nil
}

// queryOf reads the filters of a list of images.
func queryOf(values url.Values) (view.Query, error) {
	q := view.Query{Limit: defaultLimit}
	err := eachFilter(values, func(name, value string) error { return setFilter(&q, name, value) })
	return q, err
}

func setFilter(q *view.Query, name, value string) (err error) {
	switch name {
	case "ref":
		return setReference(q, value)
	case "registry":
		q.Registry = value
	case "repository":
		q.Repository = value
	case "tag":
		q.Tag = value
	case "vulnerability":
		q.Vulnerability = value
	case "package":
		q.Package = value
	case "severity":
		return setSeverity(q, value)
	case "status":
		return setStatus(q, value)
	case "limit":
		q.Limit, err = limitOf(value)
		return err
	case "cursor":
		q.After = value
	default:
		return noFilter(name)
	}
	return nil
}

func setReference(q *view.Query, value string) error {
	ref, err := reference.Parse(value)
	if err != nil {
		return err
	}
	q.Host, q.Repository, q.Tag, q.Digest = ref.Host, ref.Repository, ref.Tag, ref.Digest
	if ref.Digest != "" {
		q.Tag = "" // the digest says more than the tag beside it
	}
	return nil
}

func setSeverity(q *view.Query, value string) error {
	q.Severity = verdict.Severity(strings.ToLower(value))
	known := []verdict.Severity{
		verdict.Critical, verdict.High, verdict.Medium, verdict.Low, verdict.Negligible, verdict.Unknown,
	}
	if !slices.Contains(known, q.Severity) {
		return fmt.Errorf("severity %q is none of critical, high, medium, low, negligible, unknown", value)
	}
	return nil
}

func setStatus(q *view.Query, value string) error {
	n, err := strconv.Atoi(value)
	status := verdict.Status(n)
	if err != nil || status < verdict.Failed || status > verdict.Completed {
		return fmt.Errorf("status %q is not a number from 0 to 6", value)
	}
	q.Status = &status
	return nil
}
