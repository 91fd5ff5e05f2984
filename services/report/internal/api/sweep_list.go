package api

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/report/internal/problem"
)

// sweepQuery is what a list of sweeps asks for.
type sweepQuery struct {
	rule, registry string
	after          *state.Sweep // stands where the page before ended; nil: from the newest
	limit          int
}

func sweepQueryOf(values url.Values) (sweepQuery, error) {
	q := sweepQuery{limit: defaultLimit}
	err := eachFilter(values, func(name, value string) (err error) {
		switch name {
		case "rule":
			q.rule = value
		case "registry":
			q.registry = value
		case "cursor":
			q.after, err = parseSweepCursor(value)
		case "limit":
			q.limit, err = limitOf(value)
		default:
			return noFilter(name)
		}
		return err
	})
	return q, err
}

// sweepCursor is where a page ends. It holds a place in the order, not a sweep:
// one that is deleted meanwhile must not begin the list anew.
func sweepCursor(last state.Sweep) string {
	return strconv.FormatInt(last.DueAt.UnixNano(), 10) + "." + last.Key
}

func parseSweepCursor(s string) (*state.Sweep, error) {
	at, key, _ := strings.Cut(s, ".")
	due, err := strconv.ParseInt(at, 10, 64)
	if err != nil || key == "" {
		return nil, noCursor(s)
	}
	return &state.Sweep{DueAt: time.Unix(0, due), Key: key}, nil
}

// newest is the order of lists.
func newest(a, b state.Sweep) int { return cmp.Or(b.DueAt.Compare(a.DueAt), compare(a.Key, b.Key)) }

func (q sweepQuery) wants(s state.Sweep) bool {
	return (q.rule == "" || q.rule == s.Rule.Name) && (q.registry == "" || q.registry == s.Rule.Registry) &&
		(q.after == nil || newest(*q.after, s) < 0)
}

// sweeps reads the sweeps whose keys match a filter, newest first.
func (a *API) sweeps(ctx context.Context, filter string) ([]state.Sweep, error) {
	var all []state.Sweep
	err := a.State.Sweeps.All(ctx, filter, func(rec state.Record[state.Sweep]) error {
		if !rec.Value.Deleted {
			all = append(all, rec.Value)
		}
		return nil
	})
	slices.SortFunc(all, newest)
	return all, err
}

func (a *API) listSweeps(w http.ResponseWriter, r *http.Request) error {
	q, err := sweepQueryOf(r.URL.Query())
	if err != nil {
		return problem.New(http.StatusBadRequest, err.Error(), "")
	}
	all, err := a.sweeps(r.Context(), ">")
	if err != nil {
		return err
	}
	chosen := slices.DeleteFunc(slices.Clone(all), func(s state.Sweep) bool { return !q.wants(s) })
	out := map[string]any{}
	if len(chosen) > q.limit {
		chosen = chosen[:q.limit]
		out["nextCursor"] = sweepCursor(chosen[q.limit-1])
	}
	if out["sweeps"], err = a.showSweeps(r.Context(), chosen, all); err != nil {
		return err
	}
	return write(w, http.StatusOK, out)
}
