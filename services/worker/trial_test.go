package worker

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// try asks for a trial as the API does, and waits for its end.
func (r *rig) try(registry string) state.Trial {
	r.t.Helper()
	id := uuid.NewString()
	if _, err := r.state.Trials.Create(r.t.Context(), failpoint.TrialAsk, id, state.Trial{ID: id, Registry: registry, AskedAt: time.Now()}); err != nil {
		r.t.Fatal(err)
	}
	var trial state.Trial
	r.until("the trial ends", func(ctx context.Context) error {
		rec, err := r.state.Trials.Get(ctx, id)
		if trial = rec.Value; err == nil && trial.EndedAt.IsZero() {
			err = errors.New("it has not")
		}
		return err
	})
	return trial
}

// outcome is the steps as words: those that did not work end in !, those that
// were not tried in ?.
func outcome(trial state.Trial) string {
	var words []string
	for _, s := range trial.Steps {
		switch {
		case s.OK:
			words = append(words, s.Step)
		case strings.HasPrefix(s.Error, "not tried"):
			words = append(words, s.Step+"?")
		default:
			words = append(words, s.Step+"!")
		}
	}
	return strings.Join(words, " ")
}

func TestTrial(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	empty := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/v2/_catalog" {
			_, _ = w.Write([]byte(`{"repositories":[]}`))
		}
	}))
	t.Cleanup(empty.Close)
	locked := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(locked.Close)
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	closed, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	want := map[string]string{registryName: "resolve connect tls login catalog tags manifest", "nowhere": "configuration!"}
	for name, tt := range map[string]struct {
		address, credential, want string
	}{
		"empty":  {empty.URL, "", "resolve connect tls login catalog tags? manifest?"},
		"locked": {locked.URL, "", "resolve connect tls login! catalog! tags? manifest?"},
		"secure": {secure.URL, "", "resolve connect tls! login? catalog? tags? manifest?"},
		"closed": {"http://" + closed.Addr().String(), "", "resolve connect! tls? login? catalog? tags? manifest?"},
		"name":   {"http://no-such-name.invalid", "", "resolve! connect? tls? login? catalog? tags? manifest?"},
		"secret": {empty.URL, "none", "configuration!"},
	} {
		r.configure(config.Registry{Name: name, Address: tt.address, Credential: tt.credential})
		want[name] = tt.want
	}
	r.push("team/app:1", image(t, zlib(t, "1:1.2.3-1")))
	r.work(nil)
	r.work(nil) // one of them does it
	got := map[string]string{}
	for name := range want {
		trial := r.try(name)
		got[name] = outcome(trial)
		if trial.Worker == "" || trial.Registry != name {
			t.Errorf("got %+v", trial)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
