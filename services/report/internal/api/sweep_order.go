package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/report/internal/problem"
)

// requestSweep makes a sweep's record and wakes a worker for it.
func (a *API) requestSweep(w http.ResponseWriter, r *http.Request) error {
	order, err := sweepOrder(r)
	if err != nil {
		return err
	}
	selects, err := a.selection(r, order)
	if err != nil {
		return err
	}
	id, err := requestID(r)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	key := cmp.Or(order.Rule, order.Registry) + "." + id
	sweep := state.Sweep{
		Key: key, Rule: selects, Force: order.Force, Refetch: order.Refetch, Order: &order, Phase: state.SweepRequested, DueAt: now, RequestedAt: now,
	}
	_, err = a.State.Sweeps.Create(r.Context(), failpoint.SweepOrder, key, sweep)
	if errors.Is(err, state.ErrConflict) {
		// It is there: the answer was lost, and maybe also the wake-up.
		rec, getErr := a.State.Sweeps.Get(r.Context(), key)
		if sweep, err = rec.Value, getErr; err == nil && (sweep.Deleted || !same(sweep.Order, &order)) {
			return problem.New(http.StatusConflict, "this "+idempotencyKey+" was used for another sweep", "choose a new key for a new sweep")
		}
	}
	if err != nil {
		return err
	}
	if err := a.wakeSweep(r, sweep); err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/sweeps/"+key)
	return a.answerSweep(w, r, http.StatusAccepted, sweep)
}

// same compares orders as they are stored.
func same(a, b *config.Sweep) bool {
	left, leftErr := json.Marshal(a)
	right, rightErr := json.Marshal(b)
	return errors.Join(leftErr, rightErr) == nil && bytes.Equal(left, right)
}

func sweepOrder(r *http.Request) (config.Sweep, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return config.Sweep{}, err
	}
	order, err := config.DecodeSweep(raw)
	if err != nil {
		p := problem.New(http.StatusBadRequest, "this cannot be swept: "+err.Error(),
			`send {"rule": "NAME"}, or {"registry": "NAME"} with filters; see /api/v1/openapi.json`)
		for _, m := range config.Mistakes(err) {
			p.Errors = append(p.Errors, m.Pointed())
		}
		return config.Sweep{}, p
	}
	return order, nil
}

// selection is the rule that is to be swept, named or made of filters.
func (a *API) selection(r *http.Request, order config.Sweep) (config.Rule, error) {
	if order.Rule != "" {
		rule, err := a.State.Rules.Get(r.Context(), order.Rule)
		if errors.Is(err, state.ErrNotFound) {
			return config.Rule{}, problem.New(http.StatusNotFound, "there is no rule "+order.Rule, "GET /api/v1/rules lists them")
		}
		return rule.Value.Value, err
	}
	_, err := a.State.Registries.Get(r.Context(), order.Registry)
	if errors.Is(err, state.ErrNotFound) {
		return config.Rule{}, problem.New(http.StatusNotFound, "there is no registry "+order.Registry, "GET /api/v1/registries lists them")
	}
	return order.Selection(), err
}

// wakeSweep makes a worker look at the sweep's record.
func (a *API) wakeSweep(r *http.Request, s state.Sweep) error {
	e, err := events.New(events.SweepRequested{Sweep: s.Key, Rule: s.Rule.Name, DueAt: s.DueAt},
		events.Meta{ID: "wake/" + uuid.NewString(), Source: "report", Time: time.Now()})
	if err != nil {
		return err
	}
	return a.Bus.Publish(r.Context(), failpoint.APISweep, e)
}
