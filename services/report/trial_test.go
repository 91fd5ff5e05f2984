package report_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/landwaiter/landwaiter/schemas"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/redistest"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// The service asks and waits; a worker, here this test, does the trial.
func TestRegistryTest(t *testing.T) {
	r := newRig(t, redistest.Start(t).Client())
	if _, err := r.state.Registries.Create(t.Context(), failpoint.ConfigRegistry, "hub", state.Managed[config.Registry]{
		Value: config.Registry{Name: "hub", Address: "registry.test"},
	}); err != nil {
		t.Fatal(err)
	}
	r.start()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- r.state.Trials.Watch(ctx, ">", func(u state.Update[state.Trial]) {
			if u.Synced || u.Removed || !u.Value.EndedAt.IsZero() {
				return
			}
			_, err := r.state.Trials.Change(ctx, failpoint.TrialStep, u.Key, func(trial *state.Trial, _ bool) error {
				trial.Worker, trial.EndedAt = "worker-1", time.Now()
				trial.Steps = []state.TrialStep{
					{Step: "connect", OK: true, Took: 12 * time.Millisecond},
					{Step: "tags", Error: "no " + trial.Repository},
				}
				return nil
			})
			if err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		})
	}()
	var got any
	res := r.call(http.MethodPost, "/api/v1/registries/hub/test", map[string]any{"repository": "acme/app"}, &got)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("got %s %v", res.Status, got)
	}
	s, err := compiler(t).Compile(schemas.Base + schemas.OpenAPI + "#/components/schemas/RegistryTest")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(got); err != nil {
		t.Error(err)
	}
	answer, _ := got.(map[string]any)
	steps, _ := answer["steps"].([]any)
	if answer["ok"] != false || answer["complete"] != true || answer["worker"] != "worker-1" || len(steps) != 2 {
		t.Fatalf("got %v", got)
	}
	if last, _ := steps[1].(map[string]any); last["error"] != "no acme/app" || last["ok"] != false {
		t.Errorf("got %v", last)
	}
	if res := r.call(http.MethodPost, "/api/v1/registries/none/test", nil, nil); res.StatusCode != http.StatusNotFound {
		t.Errorf("a registry that is not there: %s", res.Status)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
