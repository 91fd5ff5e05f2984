package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/report/internal/problem"
)

// changeSweep changes the sweep that the address names.
func (a *API) changeSweep(r *http.Request, p failpoint.Point, alter func(*state.Sweep) error) (state.Sweep, error) {
	id := r.PathValue("id")
	if !events.ValidTag(id) {
		return state.Sweep{}, unknownSweep(id)
	}
	rec, err := a.State.Sweeps.Change(r.Context(), p, id, func(s *state.Sweep, exists bool) error {
		if !exists || s.Deleted {
			return unknownSweep(id)
		}
		return alter(s)
	})
	return rec.Value, err
}

// cancelSweep ends a sweep and takes back what it has asked for. Every step
// may be done again: a cancel that was cut off is finished by the next, or by
// the worker that tells of the end.
func (a *API) cancelSweep(w http.ResponseWriter, r *http.Request) error {
	s, err := a.changeSweep(r, failpoint.SweepCancel, func(s *state.Sweep) error {
		switch {
		case s.Phase == state.SweepCancelled:
			return state.ErrUnchanged
		case s.Phase.Terminal():
			return problem.New(http.StatusConflict, "the sweep is over: "+string(s.Phase), "")
		}
		s.Cancel(time.Now())
		return nil
	})
	if err != nil {
		return err
	}
	for _, d := range s.Outstanding {
		if err := a.withdraw(r.Context(), d, s.Requester()); err != nil {
			return err
		}
	}
	if err := a.wakeSweep(r, s); err != nil {
		return err
	}
	return a.answerSweep(w, r, http.StatusOK, s)
}

// restartSweep begins a sweep that is over once more.
func (a *API) restartSweep(w http.ResponseWriter, r *http.Request) error {
	var order struct {
		Failed bool `json:"failed"`
	}
	if r.ContentLength != 0 {
		if err := read(r, &order); err != nil {
			return err
		}
	}
	id, err := requestID(r)
	if err != nil {
		return err
	}
	s, err := a.changeSweep(r, failpoint.SweepRestart, func(s *state.Sweep) error {
		switch {
		case s.Restart == id: // the answer was lost, and maybe also the wake-up
			return state.ErrUnchanged
		case !s.Phase.Terminal():
			return stillGoing(s.Key)
		}
		s.Again(id, order.Failed, time.Now())
		return nil
	})
	if err != nil {
		return err
	}
	if err := a.wakeSweep(r, s); err != nil {
		return err
	}
	return a.answerSweep(w, r, http.StatusAccepted, s)
}

func stillGoing(id string) error {
	return problem.New(http.StatusConflict, "the sweep is not over yet", "POST /api/v1/sweeps/"+id+"/cancel ends it")
}

// deleteSweep forgets a sweep that is over, and who it was to the jobs it asked
// for. What is left of its record keeps late messages from making it again.
func (a *API) deleteSweep(w http.ResponseWriter, r *http.Request) error {
	rec, err := a.sweep(r)
	if err != nil {
		return err
	}
	if !rec.Value.Phase.Terminal() {
		return stillGoing(rec.Key)
	}
	// Its record goes last: a delete that was cut off can be done again.
	if err := a.forget(r.Context(), rec.Value); err != nil {
		return err
	}
	_, err = a.changeSweep(r, failpoint.SweepDelete, func(s *state.Sweep) error {
		if !s.Phase.Terminal() {
			return stillGoing(s.Key)
		}
		s.Delete()
		return nil
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// forget takes the sweep from the requesters of its jobs. Those that others
// want too go on for them.
func (a *API) forget(ctx context.Context, s state.Sweep) error {
	var marked []string
	asked := func(r state.Requester) bool { return s.Asked(r.ID) }
	err := a.State.Jobs.All(ctx, ">", func(rec state.Record[state.Job]) error {
		if slices.ContainsFunc(rec.Value.Requesters, asked) {
			marked = append(marked, rec.Key)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, key := range marked {
		_, err := a.State.Jobs.Change(ctx, failpoint.SweepForget, key, func(j *state.Job, exists bool) error {
			if !exists || !j.State.Terminal() && len(j.Requesters) == 1 {
				return state.ErrUnchanged // its cancellation is on the way
			}
			j.Requesters = slices.DeleteFunc(slices.Clone(j.Requesters), asked)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
