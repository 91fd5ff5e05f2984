package api

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/report/internal/problem"
)

// sweepJSON is a sweep as the API shows it.
type sweepJSON struct {
	ID        string             `json:"id"`
	Rule      string             `json:"rule,omitempty"`
	Registry  string             `json:"registry"`
	State     string             `json:"state"` // requested, running, done, failed, cancelled
	Phase     string             `json:"phase,omitempty"`
	Counts    events.SweepCounts `json:"counts"`
	Partial   bool               `json:"partial,omitempty"`
	DueAt     time.Time          `json:"dueAt"`
	StartedAt time.Time          `json:"startedAt,omitzero"`
	EndedAt   time.Time          `json:"endedAt,omitzero"`
	Errors    []string           `json:"errors,omitempty"`
	Error     string             `json:"error,omitempty"`
}

func showSweep(s state.Sweep) sweepJSON {
	out := sweepJSON{
		ID: s.Key, Rule: s.Rule.Name, Registry: s.Rule.Registry, State: string(s.Phase), Counts: s.Counts,
		Partial: s.Partial, DueAt: s.DueAt, StartedAt: s.StartedAt, EndedAt: s.EndedAt, Errors: s.Errors,
	}
	if !s.Phase.Terminal() {
		out.State, out.Phase = "running", string(s.Phase)
	}
	if s.Phase == state.SweepFailed && len(s.Errors) > 0 {
		out.Error = s.Errors[0]
	}
	return out
}

func (a *API) listSweeps(w http.ResponseWriter, r *http.Request) error {
	filter := r.URL.Query()
	var all []sweepJSON
	err := a.State.Sweeps.All(r.Context(), ">", func(rec state.Record[state.Sweep]) error {
		s := showSweep(rec.Value)
		if (filter.Get("rule") == "" || filter.Get("rule") == s.Rule) && (filter.Get("registry") == "" || filter.Get("registry") == s.Registry) {
			all = append(all, s)
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b sweepJSON) int {
		if c := b.DueAt.Compare(a.DueAt); c != 0 {
			return c
		}
		return compare(a.ID, b.ID)
	})
	limit := defaultLimit
	if after := filter.Get("cursor"); after != "" {
		at := slices.IndexFunc(all, func(s sweepJSON) bool { return s.ID == after })
		all = all[at+1:]
	}
	out := map[string]any{"sweeps": all[:min(limit, len(all))]}
	if all == nil {
		out["sweeps"] = []sweepJSON{}
	}
	if len(all) > limit {
		out["nextCursor"] = all[limit-1].ID
	}
	return write(w, http.StatusOK, out)
}

func (a *API) getSweep(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	rec, err := a.State.Sweeps.Get(r.Context(), id)
	if errors.Is(err, state.ErrNotFound) || !events.ValidTag(id) {
		return problem.New(http.StatusNotFound, "no sweep "+id+" is known", "GET /api/v1/sweeps lists them")
	}
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, showSweep(rec.Value))
}

func (a *API) requestSweep(w http.ResponseWriter, r *http.Request) error {
	var order struct {
		Rule string `json:"rule"`
	}
	if err := read(r, &order); err != nil {
		return err
	}
	if !events.ValidName(order.Rule) {
		return problem.New(http.StatusBadRequest, "a sweep needs the name of a rule", `send {"rule": "NAME"}; GET /api/v1/rules lists them`)
	}
	rule, err := a.State.Rules.Get(r.Context(), order.Rule)
	if errors.Is(err, state.ErrNotFound) {
		return problem.New(http.StatusNotFound, "there is no rule "+order.Rule, "GET /api/v1/rules lists them")
	}
	if err != nil {
		return err
	}
	due := time.Now().UTC().Truncate(time.Second)
	key := events.SweepKey(order.Rule, due)
	e, err := events.New(events.SweepRequested{Sweep: key, Rule: order.Rule, DueAt: due},
		events.Meta{ID: "sweep/" + key, Source: "report", Time: due})
	if err != nil {
		return err
	}
	if err := a.Bus.Publish(r.Context(), failpoint.APISweep, e); err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/sweeps/"+key)
	return write(w, http.StatusAccepted, sweepJSON{
		ID: key, Rule: order.Rule, Registry: rule.Value.Value.Registry, State: "requested", DueAt: due,
	})
}
