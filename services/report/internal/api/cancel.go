package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

func compare(a, b string) int { return cmp.Compare(a, b) }

// cancelScan takes a request back, planned or not. Every step may be done
// again: a cancel that was cut off is finished by the next.
func (a *API) cancelScan(w http.ResponseWriter, r *http.Request) error {
	ctx, id := r.Context(), r.PathValue("id")
	if err := validRequest(id); err != nil {
		return err
	}
	// First the request: whoever plans it after this sees that it is cancelled,
	// and who has planned it before has named its scans.
	rec, err := a.State.Requests.Change(ctx, failpoint.CancelRequest, id, func(req *state.Request, exists bool) error {
		if !exists {
			return state.ErrNotFound
		}
		if req.State == state.RequestCancelled {
			return state.ErrUnchanged
		}
		req.State = state.RequestCancelled
		return nil
	})
	if err != nil {
		return unknownRequest(id, err)
	}
	for _, d := range rec.Value.Scans {
		if err := a.withdraw(ctx, d, "request/"+id); err != nil {
			return err
		}
	}
	out, err := a.showRequest(ctx, rec.Value)
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, out)
}

// withdraw takes a requester from a job. Where it was the last the job is
// cancelled, and a worker is woken to tell so: it first settles the image's
// status, which the API leaves alone.
func (a *API) withdraw(ctx context.Context, d events.Digest, requester string) error {
	rec, err := a.State.Jobs.Change(ctx, failpoint.CancelJob, d.Token(), func(j *state.Job, exists bool) error {
		if !exists || j.State.Terminal() {
			return state.ErrUnchanged
		}
		if slices.Contains(j.Withdrawn, requester) {
			return state.ErrUnchanged
		}
		j.Withdraw(requester, time.Now())
		return nil
	})
	if err != nil || rec.Value.State != state.JobCancelled || rec.Value.Announced {
		return err
	}
	e, err := events.New(rec.Value.WakeUp(), events.Meta{ID: "wake/" + uuid.NewString(), Source: "report", Time: time.Now()})
	if err != nil {
		return err
	}
	return a.Bus.Publish(ctx, failpoint.CancelPublish, e)
}
