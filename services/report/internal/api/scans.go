package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/report/internal/crew"
	"github.com/landwaiter/landwaiter/services/report/internal/problem"
	"github.com/landwaiter/landwaiter/services/report/internal/reference"
)

type scanOrder struct {
	Image     string   `json:"image"`
	Platforms []string `json:"platforms"`
	Force     bool     `json:"force"`
	Refetch   bool     `json:"refetch"`
}

// requestJSON is a request and what became of it.
type requestJSON struct {
	ID        string     `json:"id"`
	Image     string     `json:"image"`
	State     string     `json:"state"` // planning, planned, failed, cancelled
	Error     string     `json:"error,omitempty"`
	CreatedAt time.Time  `json:"createdAt,omitzero"`
	Scans     []scanJSON `json:"scans"`
}

type scanJSON struct {
	Digest   events.Digest   `json:"digest"`
	Platform events.Platform `json:"platform"`
	State    string          `json:"state"`
	Status   verdict.Status  `json:"status"`
	Lane     events.Lane     `json:"lane,omitempty"`
	Attempts int             `json:"attempts"`
	Waiting  string          `json:"waiting,omitempty"`
	Error    string          `json:"error,omitempty"`
}

const (
	// planningWait is how long an answer waits for the request to be planned,
	// which usually takes one question to the registry.
	planningWait = 3 * time.Second
	planningLook = 50 * time.Millisecond
)

func (a *API) requestScan(w http.ResponseWriter, r *http.Request) error {
	var order scanOrder
	if err := read(r, &order); err != nil {
		return err
	}
	ref, err := reference.Parse(order.Image)
	if err != nil {
		return problem.New(http.StatusBadRequest, err.Error(), "")
	}
	if ref.Tag == "" && ref.Digest == "" {
		ref.Tag = "latest"
	}
	reg, err := a.registryOf(r.Context(), ref.Host)
	if err != nil {
		return err
	}
	id, err := requestID(r)
	if err != nil {
		return err
	}
	e, err := events.New(events.ImageRequested{
		Request: id, Registry: reg.Name, Repository: ref.Repository, Tag: ref.Tag, Digest: ref.Digest,
		Platforms: order.Platforms, Force: order.Force, Refetch: order.Refetch, Actor: state.AdminToken,
	}, events.Meta{ID: "request/" + id, Source: "report/" + reg.Name, Time: time.Now()})
	if err != nil {
		return problem.New(http.StatusBadRequest, err.Error(), "")
	}
	// The record comes first, so that it can be asked for and cancelled while
	// the request waits to be planned. One that is there already is of the same
	// request, whose event may not have been published.
	_, err = a.State.Requests.Create(r.Context(), failpoint.APICreate, id, state.Request{
		ID: id, Reference: ref.String(), State: state.RequestPlanning, Scans: []events.Digest{},
		CreatedAt: time.Now(), Registry: reg.Name, Repository: ref.Repository,
	})
	if err != nil && !errors.Is(err, state.ErrConflict) {
		return err
	}
	if err := a.Bus.Publish(r.Context(), failpoint.APIRequest, e); err != nil {
		return err
	}
	out, err := a.awaitPlan(r.Context(), id)
	if err != nil {
		return err
	}
	out.Image = ref.String()
	w.Header().Set("Location", "/api/v1/scans/"+id)
	return write(w, http.StatusAccepted, out)
}

// idempotencyKey is the header of a client that may have to ask again because
// it lost the answer: the same key is the same request.
const idempotencyKey = "Idempotency-Key"

// requestID names the request: by the client's key, else at random.
func requestID(r *http.Request) (string, error) {
	const most = 256
	key := r.Header.Get(idempotencyKey)
	switch {
	case key == "":
		return rand.Text(), nil
	case len(key) > most:
		return "", problem.New(http.StatusBadRequest, idempotencyKey+" is too long", "at most 256 characters")
	default:
		sum := sha256.Sum256([]byte(key))
		return hex.EncodeToString(sum[:16]), nil
	}
}

// registryOf finds the configured registry with a pull host.
func (a *API) registryOf(ctx context.Context, host string) (config.Registry, error) {
	var found []config.Registry
	err := a.State.Registries.All(ctx, ">", func(rec state.Record[state.Managed[config.Registry]]) error {
		if rec.Value.Value.Host() == host {
			found = append(found, rec.Value.Value)
		}
		return nil
	})
	if err != nil {
		return config.Registry{}, err
	}
	if len(found) == 0 {
		return config.Registry{}, problem.New(http.StatusNotFound, "no registry is configured for the host "+host,
			"add it to a file under registries: and run `landwaiter apply -f FILE`, or scan without the pipeline: `landwaiter scan --local REF`")
	}
	slices.SortFunc(found, func(a, b config.Registry) int { return compare(a.Name, b.Name) })
	return found[0], nil
}

// awaitPlan waits a while for the request to be planned.
func (a *API) awaitPlan(ctx context.Context, id string) (requestJSON, error) {
	deadline := time.NewTimer(planningWait)
	defer deadline.Stop()
	tick := time.NewTicker(planningLook)
	defer tick.Stop()
	for over := false; ; {
		rec, err := a.State.Requests.Get(ctx, id)
		if err != nil {
			return requestJSON{}, err
		}
		if over || rec.Value.State != state.RequestPlanning {
			return a.showRequest(ctx, rec.Value)
		}
		select {
		case <-ctx.Done():
			return requestJSON{}, ctx.Err()
		case <-deadline.C:
			over = true
		case <-tick.C:
		}
	}
}

func (a *API) showRequest(ctx context.Context, req state.Request) (requestJSON, error) {
	out := requestJSON{
		ID: req.ID, Image: req.Reference, State: string(req.State), Error: req.Error,
		CreatedAt: req.CreatedAt, Scans: make([]scanJSON, 0, len(req.Scans)),
	}
	for _, d := range req.Scans {
		s, err := a.showScan(ctx, d)
		if err != nil {
			return out, err
		}
		out.Scans = append(out.Scans, s)
	}
	return out, nil
}

// showScan is where the newest scan of an image stands. It reads the state, not
// the view: whoever waits for a scan asks here.
func (a *API) showScan(ctx context.Context, d events.Digest) (scanJSON, error) {
	s := scanJSON{Digest: d, State: "unknown", Status: verdict.Unscanned}
	status, err := a.Projector.Status(ctx, d)
	if err != nil {
		return s, err
	}
	s.Status = status.Status
	if i := status.Image; i != nil {
		s.Platform, s.Error = i.Platform, i.Error
		if i.Report != "" {
			s.State = string(state.JobDone)
		}
	}
	if j := status.Job; j != nil {
		s.Platform, s.State, s.Lane, s.Error = j.Platform, string(j.State), j.Lane, j.Error
		s.Attempts = j.Attempts.Errors + j.Attempts.Crashes
		if j.State == state.JobQueued {
			workers, err := crew.Muster(ctx, a.State)
			if err != nil {
				return s, err
			}
			s.Waiting = workers.Waits(*j)
		}
	}
	return s, nil
}

func (a *API) getScan(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if d, err := events.ParseDigest(id); err == nil {
		return a.getScanOf(w, r, d)
	}
	if err := validRequest(id); err != nil {
		return err
	}
	rec, err := a.State.Requests.Get(r.Context(), id)
	if err != nil {
		return unknownRequest(id, err)
	}
	out, err := a.showRequest(r.Context(), rec.Value)
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, out)
}

// validRequest is nil for an id that a request can have.
func validRequest(id string) error {
	if !events.ValidTag(id) {
		return problem.New(http.StatusNotFound, "no request has this id", "")
	}
	return nil
}

func unknownRequest(id string, err error) error {
	if errors.Is(err, state.ErrNotFound) {
		return problem.New(http.StatusNotFound, "no request "+id+" is known", "requests are forgotten some time after their end")
	}
	return err
}

// getScanOf tells of an image's scan, whoever asked for it.
func (a *API) getScanOf(w http.ResponseWriter, r *http.Request, d events.Digest) error {
	s, err := a.showScan(r.Context(), d)
	if err != nil {
		return err
	}
	if s.State == "unknown" {
		return problem.New(http.StatusNotFound, "no scan of "+string(d)+" is known", "")
	}
	return write(w, http.StatusOK, requestJSON{ID: string(d), Image: string(d), State: s.State, Error: s.Error, Scans: []scanJSON{s}})
}
