package registries

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/natstest"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// TestHeldCredentialIsNotSent changes the address of a registry that is read:
// the new one hears nothing until it is confirmed, and the credential then.
func TestHeldCredentialIsNotSent(t *testing.T) {
	st, err := state.Open(t.Context(), natstest.Bus(t, natstest.Start(t), "worker"))
	if err != nil {
		t.Fatal(err)
	}
	var asked, shown [2]atomic.Int64
	address := [2]string{}
	for i := range address {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked[i].Add(1)
			if _, password, _ := r.BasicAuth(); password != "hunter2" {
				w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			shown[i].Add(1)
		}))
		t.Cleanup(s.Close)
		address[i] = s.URL
	}
	set := New(func(string) (config.Resolved, error) {
		return config.Resolved{Name: "reader", Type: config.BasicCredential, Username: "u", Password: config.NewSecret("hunter2")}, nil
	}, zap.NewNop())
	ready := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { _ = set.Follow(ctx, st, func() { close(ready) }) })
	t.Cleanup(func() { cancel(); done.Wait() })
	<-ready
	put := func(address string, confirmed bool) {
		t.Helper()
		m := state.Managed[config.Registry]{Value: config.Registry{Name: "hub", Address: address, Credential: "reader"}}
		if confirmed {
			m.Confirmed = m.Value.Destination()
		}
		_, err := st.Registries.Change(t.Context(), failpoint.ConfigRegistry, "hub", func(old *state.Managed[config.Registry], _ bool) error {
			before := old.Confirmed
			*old = m
			if !confirmed {
				old.Confirmed = before // what was confirmed is another place
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(10 * time.Second); ; {
			set.mu.Lock()
			known := set.registries["hub"].Address == address && set.held["hub"] != confirmed
			set.mu.Unlock()
			if known {
				return
			}
			select {
			case <-t.Context().Done():
			case <-time.After(time.Millisecond):
			}
			if time.Now().After(deadline) {
				t.Fatal("the change is not known to the worker")
			}
		}
	}
	ping := func() error {
		reg, err := set.Get("hub")
		if err != nil {
			return err
		}
		return reg.Ping(t.Context())
	}
	put(address[0], true)
	if err := ping(); err != nil || shown[0].Load() == 0 {
		t.Fatalf("got %v, shown %d times", err, shown[0].Load())
	}
	put(address[1], false)
	if err := ping(); !errors.Is(err, ErrUnusable) || !strings.Contains(err.Error(), "landwaiter registries confirm hub") ||
		!strings.Contains(err.Error(), "reader to "+address[1]) {
		t.Errorf("got %v, want an error that says how to confirm", err)
	}
	if _, _, err := set.fresh("hub", ""); err == nil || !strings.Contains(err.Error(), "unconfirmed") {
		t.Errorf("a test of it: got %v", err)
	}
	if n := asked[1].Load(); n != 0 {
		t.Errorf("the new address was asked %d times before it was confirmed", n)
	}
	put(address[1], true)
	if err := ping(); err != nil || shown[1].Load() == 0 {
		t.Errorf("confirmed: got %v, shown %d times", err, shown[1].Load())
	}
}
