// Package api is the report service's HTTP API, as schemas/openapi.json
// describes it.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/schemas"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/report/internal/feed"
	"github.com/landwaiter/landwaiter/services/report/internal/problem"
	"github.com/landwaiter/landwaiter/services/report/internal/project"
	"github.com/landwaiter/landwaiter/services/report/internal/view"
)

// API answers requests that have passed the guard.
type API struct {
	Bus       *bus.Bus
	State     *state.Store
	View      *view.View
	Projector *project.Projector
	Keeper    *project.Keeper
	Catchup   *project.Catchup
	Feed      *feed.Feed
	// WebhookURL gives a registry's webhook address; nil: it is not known.
	WebhookURL func(config.Registry) (string, error)
	// Stopping ends when streams are to end.
	Stopping <-chan struct{}
	Log      *zap.Logger

	streams slots
}

// answer is a handler that returns what is wrong instead of writing it.
type answer func(w http.ResponseWriter, r *http.Request) error

// Handler is the API under /api/.
func (a *API) Handler() http.Handler {
	a.streams = make(slots, mostStreams)
	mux := http.NewServeMux()
	for pattern, do := range a.routes() {
		mux.Handle(pattern, a.handler(do))
	}
	return mux
}

// Streams is how many followers of events there are, once Handler was called.
func (a *API) Streams() int { return len(a.streams) }

func (a *API) routes() map[string]answer {
	return map[string]answer{
		"GET /api/v1/images":                                 a.listImages,
		"GET /api/v1/images/{digest}":                        a.getImage,
		"GET /api/v1/vulnerabilities/{vulnerability}/images": a.listVulnerable,
		"GET /api/v1/reports/{digest}":                       a.getReport,
		"POST /api/v1/scans":                                 a.requestScan,
		"GET /api/v1/scans/{id}":                             a.getScan,
		"POST /api/v1/scans/{id}/cancel":                     a.cancelScan,
		"GET /api/v1/registries":                             registries(a).list,
		"GET /api/v1/registries/{name}":                      registries(a).get,
		"PUT /api/v1/registries/{name}":                      registries(a).put,
		"DELETE /api/v1/registries/{name}":                   registries(a).delete,
		"POST /api/v1/registries/{name}/test":                a.testRegistry,
		"POST /api/v1/registries/{name}/confirm":             a.confirmRegistry,
		"GET /api/v1/registries/{name}/webhook":              a.getWebhook,
		"GET /api/v1/registries/{name}/summary":              a.summarizeRegistry,
		"GET /api/v1/rules":                                  rules(a).list,
		"GET /api/v1/rules/{name}":                           rules(a).get,
		"PUT /api/v1/rules/{name}":                           rules(a).put,
		"DELETE /api/v1/rules/{name}":                        rules(a).delete,
		"GET /api/v1/sweeps":                                 a.listSweeps,
		"POST /api/v1/sweeps":                                a.requestSweep,
		"GET /api/v1/sweeps/{id}":                            a.getSweep,
		"DELETE /api/v1/sweeps/{id}":                         a.deleteSweep,
		"POST /api/v1/sweeps/{id}/cancel":                    a.cancelSweep,
		"POST /api/v1/sweeps/{id}/restart":                   a.restartSweep,
		"GET /api/v1/events":                                 a.followEvents,
		"GET /api/v1/ledger":                                 a.showLedger,
		"GET /api/v1/advisories":                             a.showAdvisories,
		"POST /api/v1/advisories/update":                     a.updateAdvisories,
		"GET /api/v1/dead":                                   a.listDead,
		"GET /api/v1/dead/{id}":                              a.getDead,
		"POST /api/v1/dead/{id}/replay":                      a.replayDead,
		"POST /api/v1/dead/replay":                           a.replayAll,
		"POST /api/v1/rebuild":                               a.rebuild,
		"GET /api/v1/openapi.json":                           openAPI,
		"/api/":                                              nowhere,
	}
}

func (a *API) handler(do answer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := do(w, r)
		if err == nil {
			return
		}
		p := problemOf(err)
		if p.Status >= http.StatusInternalServerError && r.Context().Err() == nil {
			a.Log.Warn("request not answered", zap.String("method", r.Method), zap.String("path", r.URL.Path), zap.Error(err))
		}
		p.Write(w)
	})
}

// problemOf is the one place that turns an error into an answer.
func problemOf(err error) *problem.Problem {
	var p *problem.Problem
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &tooLarge):
		return problem.New(http.StatusRequestEntityTooLarge, "the request's body is over the limit of 1 MiB", "")
	case errors.Is(err, state.ErrNotFound), errors.Is(err, view.ErrNotFound):
		return problem.New(http.StatusNotFound, err.Error(), "")
	case errors.Is(err, state.ErrConflict):
		return problem.New(http.StatusPreconditionFailed, "somebody else changed it in the meantime", "read it again and repeat the change")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return problem.New(http.StatusServiceUnavailable, "the broker or the store did not answer in time", "try again in a moment")
	default:
		return problem.New(http.StatusServiceUnavailable, "the broker or the store could not be used", "try again; the service's log says more")
	}
}

func nowhere(_ http.ResponseWriter, r *http.Request) error {
	return problem.New(http.StatusNotFound, r.Method+" "+r.URL.Path+" is nothing this API knows", "see /api/v1/openapi.json")
}

func openAPI(w http.ResponseWriter, _ *http.Request) error {
	raw, err := schemas.Read(schemas.OpenAPI)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(raw)
	return nil
}

// write answers with JSON.
func write(w http.ResponseWriter, status int, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(raw)
	return nil
}

// read decodes a JSON body strictly.
func read(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more than one JSON value")
		}
	}
	var tooLarge *http.MaxBytesError
	if err == nil || errors.As(err, &tooLarge) {
		return err
	}
	return problem.New(http.StatusBadRequest, "the body is not what is asked for: "+err.Error(), "see /api/v1/openapi.json")
}

// rebuildTimeout bounds a rebuild of the view.
const rebuildTimeout = 15 * time.Minute

func (a *API) rebuild(w http.ResponseWriter, r *http.Request) error {
	c := http.NewResponseController(w)
	if err := errors.Join(c.SetWriteDeadline(time.Now().Add(rebuildTimeout)), c.SetReadDeadline(time.Time{})); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), rebuildTimeout)
	defer cancel()
	started := time.Now()
	if err := a.Keeper.Rebuild(ctx); err != nil {
		return err
	}
	n, err := a.View.Count(ctx)
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, map[string]any{"images": n, "seconds": time.Since(started).Seconds()})
}
