package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/report/internal/problem"
)

// sweepJSON is a sweep as the API shows it.
type sweepJSON struct {
	ID       string `json:"id"`
	Rule     string `json:"rule,omitempty"`
	Registry string `json:"registry"`
	// What of the registry is swept.
	Repositories []string      `json:"repositories,omitempty"`
	Tags         []string      `json:"tags,omitempty"`
	PushedWithin config.Window `json:"pushedWithin,omitzero"`
	Cap          int           `json:"cap,omitempty"`
	Force        bool          `json:"force,omitempty"`
	Refetch      bool          `json:"refetch,omitempty"`

	State       string                     `json:"state"` // requested, running, done, failed, cancelled
	Phase       string                     `json:"phase,omitempty"`
	Waiting     string                     `json:"waiting,omitempty"`
	SecondsLeft *int64                     `json:"secondsLeft,omitempty"` // absent: nobody can tell
	Counts      events.SweepCounts         `json:"counts"`
	Failures    map[state.FailureClass]int `json:"failures,omitempty"`
	// Dates counts by source how the images that were found were dated, and
	// LeftOut why others were not scanned.
	Dates      map[events.DateSource]int `json:"dates,omitempty"`
	LeftOut    map[state.LeftOut]int     `json:"leftOut,omitempty"`
	Partial    bool                      `json:"partial,omitempty"`
	Generation uint64                    `json:"generation"`
	FailedOnly bool                      `json:"failedOnly,omitempty"`
	DueAt      time.Time                 `json:"dueAt"`
	StartedAt  time.Time                 `json:"startedAt,omitzero"`
	EndedAt    time.Time                 `json:"endedAt,omitzero"`
	Errors     []string                  `json:"errors,omitempty"`
	Error      string                    `json:"error,omitempty"`
}

func showSweep(s state.Sweep) sweepJSON {
	out := sweepJSON{
		ID: s.Key, Rule: s.Rule.Name, Registry: s.Rule.Registry, Repositories: s.Rule.Repositories, Tags: s.Rule.Tags,
		PushedWithin: s.Rule.PushedWithin, Cap: s.Rule.Cap, Force: s.Force || s.Refetch || s.Rule.ScanAll, Refetch: s.Refetch,
		State: string(s.Phase), Counts: s.Counts, Failures: s.Failures, Partial: s.Partial, Dates: s.Dates, LeftOut: s.Left,
		Generation: s.Generation, FailedOnly: s.FailedOnly,
		DueAt: s.DueAt, StartedAt: s.StartedAt, EndedAt: s.EndedAt, Errors: s.Errors,
	}
	if !s.Phase.Terminal() && s.Phase != state.SweepRequested {
		out.State, out.Phase = "running", string(s.Phase)
	}
	if s.Phase == state.SweepFailed && len(s.Errors) > 0 {
		out.Error = s.Errors[0]
	}
	return out
}

// showSweeps shows sweeps, with what can be told only beside the others.
func (a *API) showSweeps(ctx context.Context, sweeps, all []state.Sweep) ([]sweepJSON, error) {
	now := time.Now()
	out := make([]sweepJSON, 0, len(sweeps))
	for _, s := range sweeps {
		shown := showSweep(s)
		if d, known := left(s, lastLike(all, s), now); known {
			seconds := int64(d.Round(time.Second) / time.Second)
			shown.SecondsLeft = &seconds
		}
		var err error
		if shown.Waiting, err = a.sweepWaits(ctx, s); err != nil {
			return nil, err
		}
		out = append(out, shown)
	}
	return out, nil
}

func (a *API) getSweep(w http.ResponseWriter, r *http.Request) error {
	rec, err := a.sweep(r)
	if err != nil {
		return err
	}
	return a.answerSweep(w, r, http.StatusOK, rec.Value)
}

// sweep reads the sweep that the address names.
func (a *API) sweep(r *http.Request) (state.Record[state.Sweep], error) {
	id := r.PathValue("id")
	if !events.ValidTag(id) {
		return state.Record[state.Sweep]{}, unknownSweep(id)
	}
	rec, err := a.State.Sweeps.Get(r.Context(), id)
	if errors.Is(err, state.ErrNotFound) || err == nil && rec.Value.Deleted {
		return rec, unknownSweep(id)
	}
	return rec, err
}

func unknownSweep(id string) error {
	return problem.New(http.StatusNotFound, "no sweep "+id+" is known", "GET /api/v1/sweeps lists them")
}

func (a *API) answerSweep(w http.ResponseWriter, r *http.Request, status int, s state.Sweep) error {
	var like []state.Sweep
	if s.Rule.Name != "" && !s.Phase.Terminal() {
		var err error
		if like, err = a.sweeps(r.Context(), s.Rule.Name+".>"); err != nil {
			return err
		}
	}
	shown, err := a.showSweeps(r.Context(), []state.Sweep{s}, like)
	if err != nil {
		return err
	}
	return write(w, status, shown[0])
}
