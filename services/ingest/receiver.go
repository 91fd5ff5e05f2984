package ingest

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"go.uber.org/zap"

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
	slots     chan struct{} // one is taken by each delivery in hand
	now       func() time.Time
}

func (r *receiver) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /hooks/{registry}/{secret}", r.deliver)
	mux.HandleFunc("POST /hooks/{registry}", r.deliver) // no secret: refused alike
	return mux
}

// deliver takes one delivery: authenticate, read, decode, store, answer, in
// this order. No log line and no metric holds the path, which holds the secret.
func (r *receiver) deliver(w http.ResponseWriter, req *http.Request) {
	if err := r.directory.ready(); err != nil {
		r.refuse(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	e, ok := r.directory.authenticate(req.PathValue("registry"), req.PathValue("secret"))
	if !ok {
		r.refuse(w, http.StatusUnauthorized, "no such registry, or a wrong secret")
		r.log.Warn("delivery refused", zap.String("remote", req.RemoteAddr))
		return
	}
	if e.off {
		r.accept(w, e, outcome{ignored: []source.Reason{source.WebhooksOff}})
		return
	}
	release, ok := r.slot(req)
	if !ok {
		r.refuse(w, http.StatusTooManyRequests, "too many deliveries at once")
		return
	}
	defer release()
	at := r.now().UTC()
	body, status, err := r.read(w, req)
	if err != nil {
		r.refuse(w, status, err.Error())
		r.log.Warn("delivery not read", zap.String("registry", e.name), zap.Error(err))
		return
	}
	o, err := r.take(req.Context(), delivery{endpoint: e, header: req.Header, body: body, at: at})
	if err != nil {
		r.refuse(w, http.StatusServiceUnavailable, "not stored: the broker did not confirm; send it again")
		r.log.Error("delivery not stored", zap.String("registry", e.name), zap.Error(err))
		return
	}
	r.accept(w, e, o)
	r.log.Info("delivery stored", zap.String("registry", e.name), zap.Int("accepted", o.accepted),
		zap.Any("ignored", o.ignored), zap.Duration("took", r.now().Sub(at)))
}

// slot waits a moment for room.
func (r *receiver) slot(req *http.Request) (release func(), ok bool) {
	const patience = time.Second
	wait := time.NewTimer(patience)
	defer wait.Stop()
	select {
	case r.slots <- struct{}{}:
		return func() { <-r.slots }, true
	case <-wait.C:
	case <-req.Context().Done():
	}
	return nil, false
}

var (
	errTooLarge = errors.New("body over the limit")
	errTooSlow  = errors.New("body not sent in time")
	errCutOff   = errors.New("body not whole")
)

// read takes the body; past the limit is an error, never a cut.
func (r *receiver) read(w http.ResponseWriter, req *http.Request) ([]byte, int, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, r.bodyLimit))
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return body, http.StatusOK, nil
	case errors.As(err, &tooLarge):
		return nil, http.StatusRequestEntityTooLarge, errTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, http.StatusRequestTimeout, errTooSlow
	default:
		return nil, http.StatusBadRequest, errCutOff
	}
}
