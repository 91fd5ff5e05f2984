package app

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/zap"
)

func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestAdminAndHealth(t *testing.T) {
	ln, err := Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var up atomic.Bool
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- serveAdmin(ctx, ln, func() error {
			if !up.Load() {
				return errors.New("waiting for the broker")
			}
			return nil
		}, Metrics())
	}()
	base := "http://" + ln.Addr().String()
	health := func() error {
		return Health(t.Context(), environment(map[string]string{"LANDWAITER_ADMIN": strings.Replace(ln.Addr().String(), "127.0.0.1", "0.0.0.0", 1)}))
	}
	if status, _ := fetch(t, base+"/livez"); status != http.StatusOK {
		t.Errorf("livez: %d", status)
	}
	if status, body := fetch(t, base+"/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "waiting for the broker") {
		t.Errorf("readyz before: %d %s", status, body)
	}
	if err := health(); err == nil || !strings.Contains(err.Error(), "waiting for the broker") {
		t.Errorf("health before: %v", err)
	}
	up.Store(true)
	if status, _ := fetch(t, base+"/readyz"); status != http.StatusOK {
		t.Errorf("readyz after: %d", status)
	}
	if err := health(); err != nil {
		t.Errorf("health after: %v", err)
	}
	if status, body := fetch(t, base+"/metrics"); status != http.StatusOK || !strings.Contains(body, "go_goroutines") {
		t.Errorf("metrics: %d", status)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("stop: %v", err)
	}
	if err := health(); err == nil {
		t.Error("health of a service that is gone: no error")
	}
}

func TestExitCode(t *testing.T) {
	broken := func(context.Context, Env) error { return errors.New("broken") }
	fine := func(context.Context, Env) error { return nil }
	for _, tt := range []struct {
		name string
		args []string
		run  func(context.Context, Env) error
		want int
	}{
		{"ended well", nil, fine, 0},
		{"failed", nil, broken, 1},
		{"unknown argument", []string{"--help"}, fine, 2},
		{"health without an address", []string{"health"}, fine, 1},
	} {
		env := environment(nil)
		env.Args = tt.args
		if got := exitCode(t.Context(), env, tt.run); got != tt.want {
			t.Errorf("%s: exit code %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestServicePassesConfigurationOn(t *testing.T) {
	wrong := errors.New("wrong")
	run := Service(
		func(Env) (int, error) { return 7, wrong },
		func(context.Context, int, *zap.Logger) error { t.Error("ran with a wrong configuration"); return nil },
	)
	if err := run(t.Context(), environment(nil)); !errors.Is(err, wrong) {
		t.Errorf("error %v", err)
	}
	run = Service(
		func(Env) (int, error) { return 7, nil },
		func(_ context.Context, c int, _ *zap.Logger) error {
			if c != 7 {
				t.Errorf("configuration %d, want 7", c)
			}
			return nil
		})
	if err := run(t.Context(), environment(nil)); err != nil {
		t.Error(err)
	}
}

func TestLogger(t *testing.T) {
	var out bytes.Buffer
	log, err := Logger("ingest", "warn", &out)
	if err != nil {
		t.Fatal(err)
	}
	log.Info("quiet")
	log.Warn("loud")
	if s := out.String(); strings.Contains(s, "quiet") || !strings.Contains(s, `"msg":"loud"`) || !strings.Contains(s, `"logger":"ingest"`) {
		t.Errorf("log %s", s)
	}
	if _, err := Logger("ingest", "loudly", &out); err == nil {
		t.Error("unknown level: no error")
	}
}
