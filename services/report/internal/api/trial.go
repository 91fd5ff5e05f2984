package api

import (
	"context"
	"crypto/rand"
	"net/http"
	"time"

	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/report/internal/problem"
)

const (
	// trialWait is longer than a worker takes for a trial, and shorter than an
	// answer may.
	trialWait = 45 * time.Second
	// trialTaken is how long it may take until a worker begins.
	trialTaken = 10 * time.Second
	trialLook  = 50 * time.Millisecond
)

// trialOrder is the body of a test; it may be left out.
type trialOrder struct {
	Repository string `json:"repository"`
}

// trialJSON is what came of a test.
type trialJSON struct {
	Registry string          `json:"registry"`
	Worker   string          `json:"worker"` // who did it
	OK       bool            `json:"ok"`     // every step was
	Complete bool            `json:"complete"`
	Steps    []trialStepJSON `json:"steps"`
}

type trialStepJSON struct {
	Step   string  `json:"step"`
	OK     bool    `json:"ok"`
	Took   float64 `json:"took"` // seconds
	Error  string  `json:"error,omitempty"`
	Detail string  `json:"detail,omitempty"`
}

// testRegistry has a worker try a registry as it is configured. This service
// has no credentials, and its own way to the registry proves nothing.
func (a *API) testRegistry(w http.ResponseWriter, r *http.Request) error {
	reg, err := registries(a).record(r)
	if err != nil {
		return err
	}
	var order trialOrder
	if r.ContentLength != 0 {
		if err := read(r, &order); err != nil {
			return err
		}
	}
	trial := state.Trial{ID: rand.Text(), Registry: reg.Key, Repository: order.Repository, AskedAt: time.Now()}
	if _, err := a.State.Trials.Create(r.Context(), failpoint.TrialAsk, trial.ID, trial); err != nil {
		return err
	}
	if trial, err = a.awaitTrial(r.Context(), trial); err != nil {
		return err
	}
	if trial.Worker == "" {
		return problem.New(http.StatusServiceUnavailable, "no worker has begun the test within "+trialTaken.String(),
			"see that a worker runs, and try again")
	}
	return write(w, http.StatusOK, showTrial(trial))
}

// awaitTrial waits until the trial has ended, or it has taken too long.
func (a *API) awaitTrial(ctx context.Context, trial state.Trial) (state.Trial, error) {
	taken, deadline := time.After(trialTaken), time.After(trialWait)
	tick := time.NewTicker(trialLook)
	defer tick.Stop()
	for {
		rec, err := a.State.Trials.Get(ctx, trial.ID)
		if err != nil {
			return trial, err
		}
		if trial = rec.Value; !trial.EndedAt.IsZero() {
			return trial, nil
		}
		select {
		case <-ctx.Done():
			return trial, ctx.Err()
		case <-taken:
			if trial.Worker == "" {
				return trial, nil
			}
		case <-deadline:
			return trial, nil
		case <-tick.C:
		}
	}
}

func showTrial(trial state.Trial) trialJSON {
	out := trialJSON{
		Registry: trial.Registry, Worker: trial.Worker, Complete: !trial.EndedAt.IsZero(),
		Steps: make([]trialStepJSON, 0, len(trial.Steps)),
	}
	out.OK = out.Complete
	for _, s := range trial.Steps {
		out.OK = out.OK && s.OK
		out.Steps = append(out.Steps, trialStepJSON{Step: s.Step, OK: s.OK, Took: s.Took.Seconds(), Error: s.Error, Detail: s.Detail})
	}
	return out
}
