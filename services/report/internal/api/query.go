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

// The sizes of a page of images.
const (
	defaultLimit = 100
	maxLimit     = 500
	maxFilter    = 300 // characters of one filter
)

// queryOf reads a list's filters. A name that is none of them is a mistake:
// ignoring it would list too much.
func queryOf(values url.Values) (view.Query, error) {
	q := view.Query{Limit: defaultLimit}
	for name, all := range values {
		value := all[0]
		if len(all) > 1 {
			return q, fmt.Errorf("filter %s is given %d times", name, len(all))
		}
		if len(value) > maxFilter {
			return q, fmt.Errorf("filter %s is longer than %d characters", name, maxFilter)
		}
		if err := setFilter(&q, name, strings.TrimSpace(value)); err != nil {
			return q, err
		}
	}
	return q, nil
}

func setFilter(q *view.Query, name, value string) error {
	if value == "" {
		return nil
	}
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
		return setLimit(q, value)
	case "cursor":
		q.After = value
	default:
		return fmt.Errorf("there is no filter %q; see /api/v1/openapi.json", name)
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

func setLimit(q *view.Query, value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		return fmt.Errorf("limit %q is not a number from 1 to %d", value, maxLimit)
	}
	q.Limit = min(n, maxLimit)
	return nil
}
