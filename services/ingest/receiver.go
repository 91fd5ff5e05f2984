package ingest

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/ingest/internal/auth"
	"github.com/landwaiter/landwaiter/services/ingest/internal/source"
	"github.com/landwaiter/landwaiter/services/internal/bus"
)

// receiver answers deliveries.
type receiver struct {
	directory *directory
	bus       *bus.Bus
	metrics   *metrics
	log       *zap.Logger
	bodyLimit int64
	room      room
	amazon    *http.Client // confirms subscriptions
	now       func() time.Time
}

func (r *receiver) handler() http.Handler {
	mux := http.NewServeMux()
	for _, path := range []string{"/hooks/{registry}/{secret}", "/hooks/{registry}"} { // the second: the sender signs, or sends a header
		mux.HandleFunc("POST "+path, r.deliver)
		mux.HandleFunc("GET "+path, r.deliver) // Gitea can be told to: the payload is in the query
		mux.HandleFunc("OPTIONS "+path, r.handshake)
	}
	return mux
}

// deliver takes one delivery: authenticate, read, decode, store, answer, in
// this order. No log line and no metric holds the path, which holds the secret.
func (r *receiver) deliver(w http.ResponseWriter, req *http.Request) {
	if err := r.directory.ready(); err != nil {
		r.refuse(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	e := r.directory.find(req.PathValue("registry"))
	if req.Method != http.MethodPost && !e.queried() {
		w.Header().Set("Allow", http.MethodPost)
		r.refuse(w, http.StatusMethodNotAllowed, "deliveries are posted")
		return
	}
	decision := e.guard.Early(req, req.PathValue("secret"))
	if decision == auth.Refused {
		r.unauthorized(w, req, nil)
		return
	}
	admitted := decision == auth.Admitted
	if admitted && !r.within(w, e) {
		return
	}
	at := r.now().UTC()
	body, release, ok := r.read(w, req, e, admitted)
	if !ok {
		return
	}
	defer release()
	if !admitted && (!r.proven(w, req, e, body) || !r.within(w, e)) {
		return
	}
	if req.Method == http.MethodGet {
		body = []byte(req.URL.Query().Get("payload"))
	}
	if e.off {
		r.accept(w, e, outcome{ignored: []source.Reason{source.WebhooksOff}})
		return
	}
	r.store(w, req, delivery{endpoint: e, header: req.Header, body: body, at: at})
}

// store answers only once the broker has confirmed.
func (r *receiver) store(w http.ResponseWriter, req *http.Request, d delivery) {
	o, err := r.take(req.Context(), d)
	if err != nil {
		r.refuse(w, http.StatusServiceUnavailable, "not stored: the broker did not confirm; send it again")
		r.log.Error("delivery not stored", zap.String("registry", d.endpoint.name), zap.Error(err))
		return
	}
	if o.confirm != nil {
		if err := r.confirm(req.Context(), d.endpoint, *o.confirm); err != nil {
			r.refuse(w, http.StatusServiceUnavailable, "subscription not confirmed; send it again")
			r.log.Error("subscription not confirmed", zap.String("registry", d.endpoint.name), zap.Error(err))
			return
		}
	}
	r.accept(w, d.endpoint, o)
	// Metrics count them; a line each would cost as much as the rest of the work.
	if line := r.log.Check(zap.DebugLevel, "delivery stored"); line != nil {
		line.Write(zap.String("registry", d.endpoint.name), zap.Int("accepted", o.accepted),
			zap.Int("ignored", len(o.ignored)), zap.Duration("took", r.now().Sub(d.at)))
	}
}

// proven checks what could not be without the body.
func (r *receiver) proven(w http.ResponseWriter, req *http.Request, e endpoint, body []byte) bool {
	err := e.guard.Body(req, body)
	switch {
	case err == nil:
		return true
	case errors.Is(err, auth.ErrUnavailable):
		r.refuse(w, http.StatusServiceUnavailable, "who sent it cannot be checked now; send it again")
		r.log.Error("delivery not checked", zap.String("registry", e.name), zap.Error(err))
	default:
		r.unauthorized(w, req, err)
	}
	return false
}

// within keeps a registry to its rate.
func (r *receiver) within(w http.ResponseWriter, e endpoint) bool {
	if e.rate.Allow() {
		return true
	}
	r.refuse(w, http.StatusTooManyRequests, "more than "+strconv.FormatFloat(e.perSecond, 'g', -1, 64)+" deliveries a second")
	return false
}

// unauthorized answers alike whatever is wrong: nobody learns which registries
// there are.
func (r *receiver) unauthorized(w http.ResponseWriter, req *http.Request, err error) {
	r.refuse(w, http.StatusUnauthorized, "no such registry, or not authentic")
	r.log.Warn("delivery refused", zap.String("remote", req.RemoteAddr), zap.Error(err))
}

var (
	errTooLarge = errors.New("body over the limit")
	errTooSlow  = errors.New("body not sent in time")
	errCutOff   = errors.New("body not whole")
)

// read takes the body, as soon as there is room for it.
func (r *receiver) read(w http.ResponseWriter, req *http.Request, e endpoint, known bool) (body []byte, release func(), ok bool) {
	limit := r.bodyLimit
	if limit == 0 {
		limit = e.bodyLimit
	}
	if req.ContentLength > limit {
		r.refuse(w, http.StatusRequestEntityTooLarge, errTooLarge.Error())
		return nil, nil, false
	}
	release, ok = r.room.take(req, known, limit)
	if !ok {
		r.refuse(w, http.StatusTooManyRequests, "too many deliveries at once")
		return nil, nil, false
	}
	body, status, err := readAll(w, req, limit)
	if err != nil {
		release()
		r.refuse(w, status, err.Error())
		r.log.Warn("delivery not read", zap.String("registry", e.name), zap.Error(err))
		return nil, nil, false
	}
	return body, release, true
}

// readAll reads to the end; past the limit is an error, never a cut.
func readAll(w http.ResponseWriter, req *http.Request, limit int64) ([]byte, int, error) {
	var body bytes.Buffer
	// What is announced is believed only so far: it need not come.
	body.Grow(int(min(max(req.ContentLength, 0), least)) + bytes.MinRead)
	_, err := body.ReadFrom(http.MaxBytesReader(w, req.Body, limit))
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return body.Bytes(), http.StatusOK, nil
	case errors.As(err, &tooLarge):
		return nil, http.StatusRequestEntityTooLarge, errTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, http.StatusRequestTimeout, errTooSlow
	default:
		return nil, http.StatusBadRequest, errCutOff
	}
}
