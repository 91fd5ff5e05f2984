package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/uuid"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/landwaiter/landwaiter/events"
	"github.com/landwaiter/landwaiter/services/internal/bus"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/natstest"
	"github.com/landwaiter/landwaiter/services/internal/state"
	"github.com/landwaiter/landwaiter/services/internal/verdict"
	"github.com/landwaiter/landwaiter/services/worker/internal/feed"
)

// rig is a broker, a registry, and a way to run workers between them.
type rig struct {
	t        testing.TB
	server   *natstest.Server
	bus      *bus.Bus
	state    *state.Store
	registry *fakeRegistry
}

const registryName = "local"

func newRig(tb testing.TB, rules ...config.Rule) *rig {
	tb.Helper()
	r := &rig{t: tb, server: natstest.Start(tb), registry: startRegistry(tb)}
	r.bus = natstest.Bus(tb, r.server, "test")
	st, err := state.Open(tb.Context(), r.bus)
	if err != nil {
		tb.Fatal(err)
	}
	r.state = st
	r.configure(config.Registry{Name: registryName, Type: config.OCI, Address: "http://" + r.registry.host})
	if len(rules) == 0 {
		rules = []config.Rule{{Name: "all", Registry: registryName}}
	}
	for _, rule := range rules {
		if _, err := st.Rules.Create(tb.Context(), failpoint.ConfigRule, rule.Name, state.Managed[config.Rule]{Value: rule}); err != nil {
			tb.Fatal(err)
		}
	}
	return r
}

// configure adds a registry.
func (r *rig) configure(reg config.Registry) {
	r.t.Helper()
	if _, err := r.state.Registries.Create(r.t.Context(), failpoint.ConfigRegistry, reg.Name, state.Managed[config.Registry]{Value: reg}); err != nil {
		r.t.Fatal(err)
	}
}

// work runs a worker until the test ends or stop is called.
func (r *rig) work(change func(*Config)) (stop func()) {
	r.t.Helper()
	cfg := Config{
		Bus:        bus.Options{URL: r.server.ClientURL(), Service: "worker", Log: zap.NewNop()},
		Dir:        r.t.TempDir(),
		Advisories: NoAdvisories,
		Lease:      2 * time.Second,
		Grace:      2 * time.Second,
		// Quick, so that tests need not wait.
		Retry:       20 * time.Millisecond,
		KeeperEvery: 100 * time.Millisecond,
	}
	if change != nil {
		change(&cfg)
	}
	ctx, cancel := context.WithCancel(context.Background())
	log := zaptest.NewLogger(r.t, zaptest.Level(zap.InfoLevel))
	if os.Getenv("LANDWAITER_TEST_LOG") == "" {
		log = zap.NewNop()
	}
	done := make(chan error, 1)
	go func() { done <- Run(ctx, cfg, log) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				r.t.Errorf("worker: %v", err)
			}
		})
	}
	r.t.Cleanup(stop)
	return stop
}

// until polls cond until it holds; its last error is what the test fails with.
func (r *rig) until(what string, cond func(ctx context.Context) error) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := cond(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			r.t.Fatalf("%s: %v", what, err)
		case <-tick.C:
		}
	}
}

// database puts the advisories of a directory in use. Workers that start later
// have it open before they do anything else.
func (r *rig) database(dir string) (version string) {
	r.t.Helper()
	f := feed.Feed{
		State: r.state, Source: dir, Dir: r.t.TempDir(), Now: time.Now, Log: zap.NewNop(),
	}
	if err := f.Update(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	rec, err := r.state.Databases.Get(r.t.Context(), state.CurrentDatabase)
	if err != nil {
		r.t.Fatal(err)
	}
	return rec.Value.Version
}

// publish publishes an event under an id.
func (r *rig) publish(id string, data events.Data) {
	r.t.Helper()
	e, err := events.New(data, events.Meta{ID: id, Source: "test", Time: time.Now()})
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.bus.Publish(r.t.Context(), failpoint.IngestPublish, e); err != nil {
		r.t.Fatal(err)
	}
}

// pushed publishes the fact of a push, as ingest would.
func (r *rig) pushed(repository, tag string, d events.Digest) {
	r.t.Helper()
	r.publish(uuid.NewString(), r.pushFact(repository, tag, d))
}

func (r *rig) pushFact(repository, tag string, d events.Digest) events.RegistryEvent {
	return events.RegistryEvent{
		Kind: events.ImagePushed, Registry: registryName, Host: r.registry.host, Repository: repository, Tag: tag, Digest: d,
		Action: events.ActionPush, Class: events.ClassUnknown, ReceivedAt: time.Now(), Source: "distribution",
	}
}

// scanned pushes an image, tells of it and waits for its scan.
func (r *rig) scanned(repository, tag string, img v1.Image) events.Digest {
	r.t.Helper()
	d := r.push(repository+":"+tag, img)
	r.pushed(repository, tag, d)
	r.jobEnds(d, state.JobDone)
	return d
}

// request asks for a scan as a user does, and returns what became of it.
func (r *rig) request(req events.ImageRequested) state.Request {
	r.t.Helper()
	req.Request = uuid.NewString()
	r.publish(req.Request, req)
	return r.requested(req.Request)
}

func (r *rig) requested(id string) state.Request {
	r.t.Helper()
	var got state.Request
	r.until("request is planned", func(ctx context.Context) error {
		rec, err := r.state.Requests.Get(ctx, id)
		got = rec.Value
		return err
	})
	return got
}

// job returns the image's job.
func (r *rig) job(d events.Digest) state.Job {
	r.t.Helper()
	rec, err := r.state.Jobs.Get(r.t.Context(), d.Token())
	if err != nil {
		r.t.Fatal(err)
	}
	return rec.Value
}

// noJob wants that nobody asked for a scan.
func (r *rig) noJob(d events.Digest) {
	r.t.Helper()
	if rec, err := r.state.Jobs.Get(r.t.Context(), d.Token()); !errors.Is(err, state.ErrNotFound) {
		r.t.Errorf("there is a job %+v, %v", rec.Value, err)
	}
}

// place returns where the image lies at the first registry.
func (r *rig) place(repository string, d events.Digest) (state.Place, error) {
	rec, err := r.state.Places.Get(r.t.Context(), state.PlaceKey(d, registryName, repository))
	return rec.Value, err
}

func (r *rig) jobEnds(d events.Digest, want state.JobState) state.Job {
	r.t.Helper()
	var job state.Job
	r.until("job "+string(d)+" is "+string(want), func(ctx context.Context) error {
		rec, err := r.state.Jobs.Get(ctx, d.Token())
		if err != nil {
			return err
		}
		if job = rec.Value; job.State != want || !job.Announced {
			return fmt.Errorf("job is %s, announced %t: %s", job.State, job.Announced, job.Error)
		}
		return nil
	})
	return job
}

func (r *rig) image(d events.Digest) state.Image {
	r.t.Helper()
	rec, err := r.state.Images.Get(r.t.Context(), d.Token())
	if err != nil {
		r.t.Fatal(err)
	}
	return rec.Value
}

func (r *rig) report(d events.Digest) verdict.Report {
	r.t.Helper()
	raw, err := r.state.Reports.Get(r.t.Context(), r.image(d).Report, 1<<24)
	if err != nil {
		r.t.Fatal(err)
	}
	var report verdict.Report
	if err := json.Unmarshal(raw, &report); err != nil {
		r.t.Fatal(err)
	}
	return report
}

// current reports whether the image's verdict was made with some database.
func (r *rig) current(d events.Digest) func(context.Context) error {
	return func(ctx context.Context) error {
		rec, err := r.state.Images.Get(ctx, d.Token())
		if err == nil && rec.Value.Database == "" {
			err = errors.New("it was made without a database")
		}
		return err
	}
}
