package registries

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/landwaiter/landwaiter/services/internal/app"
	"github.com/landwaiter/landwaiter/services/internal/failpoint"
	"github.com/landwaiter/landwaiter/services/internal/registry"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

const (
	// trialTimeout bounds a trial: somebody is waiting for it.
	trialTimeout = 40 * time.Second
	// trialFresh is how long after it was asked for a trial is still begun.
	trialFresh = time.Minute
	// trialsAtOnce bounds the trials of one worker.
	trialsAtOnce = 4
)

// Trials does the tests of registries that users ask for: a worker does them,
// because workers have the credentials, and the way to the registry that
// matters is theirs.
type Trials struct {
	State      *state.Store
	Registries *Set
	Worker     string
	Now        func() time.Time
	Log        *zap.Logger
}

// Run does what is asked for until ctx ends.
func (t *Trials) Run(ctx context.Context) error {
	var trials errgroup.Group
	trials.SetLimit(trialsAtOnce)
	err := app.Follow(ctx, t.State.Trials, t.Log, func(all map[string]state.Trial) {
		for id, trial := range all {
			if trial.Worker == "" && t.Now().Sub(trial.AskedAt) < trialFresh {
				trials.TryGo(func() error { t.do(ctx, id); return nil }) // where all are busy, another worker does it
			}
		}
	})
	return errors.Join(err, trials.Wait())
}

// do does one trial, unless another worker does.
func (t *Trials) do(ctx context.Context, id string) {
	mine := false
	rec, err := t.State.Trials.Change(ctx, failpoint.TrialStep, id, func(trial *state.Trial, exists bool) error {
		if mine = exists && trial.Worker == ""; !mine {
			return state.ErrUnchanged
		}
		trial.Worker = t.Worker
		return nil
	})
	if err == nil && mine {
		trying, cancel := context.WithTimeout(ctx, trialTimeout)
		defer cancel()
		err = t.try(trying, rec)
	}
	if err != nil && ctx.Err() == nil {
		t.Log.Warn("registry test not recorded", zap.String("trial", id), zap.Error(err))
	}
}

func (t *Trials) try(ctx context.Context, rec state.Record[state.Trial]) error {
	var failed error
	save := func() {
		if failed == nil {
			rec, failed = t.State.Trials.Put(context.WithoutCancel(ctx), failpoint.TrialStep, rec)
		}
	}
	c, want, err := t.Registries.fresh(rec.Value.Registry, rec.Value.Repository)
	if err != nil {
		rec.Value.Steps = append(rec.Value.Steps, state.TrialStep{Step: "configuration", Error: err.Error()})
	} else {
		defer c.Close()
		c.Try(ctx, want, func(s registry.Step) {
			step := state.TrialStep{Step: s.Name, OK: s.Err == nil, Took: s.Took, Detail: s.Detail}
			if s.Err != nil {
				step.Error = s.Err.Error()
			}
			rec.Value.Steps = append(rec.Value.Steps, step)
			save()
		})
	}
	rec.Value.EndedAt = t.Now()
	save()
	return failed
}

// fresh makes a client that nobody has used, and says what it is to try.
func (s *Set) fresh(name, repository string) (*registry.Client, registry.Wanted, error) {
	rules := s.Rules(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	cfg, known := s.registries[name]
	if !known {
		return nil, registry.Wanted{}, ErrUnknown
	}
	if err := s.confirmed(cfg); err != nil {
		return nil, registry.Wanted{}, err
	}
	cred, err := s.credentials(cfg.Credential)
	if err != nil {
		return nil, registry.Wanted{}, err
	}
	c, err := s.client(cfg, cred)
	return c.Client, wanted(rules, repository), err
}

// wanted is what the rules are about.
func wanted(rules []Rule, repository string) registry.Wanted {
	w := registry.Wanted{Repository: repository}
	for _, r := range rules {
		if len(r.Repositories) == 0 {
			w.Patterns = nil // all
			break
		}
		w.Patterns = append(w.Patterns, r.Repositories...)
	}
	for _, p := range w.Patterns {
		if w.Repository == "" && !strings.Contains(p, "*") {
			w.Repository = p
		}
	}
	w.Choose = func(repository string) bool {
		for _, r := range rules {
			if r.Repository(repository) {
				return true
			}
		}
		return false
	}
	return w
}
