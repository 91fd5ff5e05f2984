// Package registries follows the configured registries and rules and keeps a
// client for each registry, so that every part of a worker sees a change at
// once and shares connections, budgets and logins.
package registries

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/app"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/registry"
	"github.com/landwaiter/landwaiter/services/internal/rule"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// ErrUnknown is the error for a registry that is not configured.
var ErrUnknown = errors.New("registry is not configured: add it with landwaiter apply")

// ErrUnusable is the error for a registry whose credential or certificates
// cannot be read.
var ErrUnusable = errors.New("registry cannot be used as it is configured")

// Credentials resolves a credential by its name.
type Credentials func(name string) (config.Resolved, error)

// Registry is a configured registry with its client.
type Registry struct {
	*registry.Client

	Settings config.Registry
}

// Rule is a configured rule, filled in from the defaults and compiled.
type Rule struct {
	config.Rule
	rule.Matcher
}

// Set follows the configuration.
type Set struct {
	credentials Credentials
	log         *zap.Logger
	worker      string // this one, among those who share budgets

	mu         sync.Mutex
	shared     *state.Store            // for budgets; nil: not shared
	pauses     map[string]state.Pauses // by registry
	registries map[string]config.Registry
	held       map[string]bool // whose credential is kept back
	clients    map[string]client
	rules      map[string]config.Rule
	defaults   config.Defaults
}

// client is a registry's client and the credential it was made with.
type client struct {
	*registry.Client

	credential config.Resolved
	budget     *budget // nil: not shared
}

// New returns a set that follows nothing yet: see Follow.
func New(credentials Credentials, log *zap.Logger) *Set {
	return &Set{
		credentials: credentials, log: log.Named("registries"), worker: rand.Text(),
		registries: map[string]config.Registry{}, held: map[string]bool{}, clients: map[string]client{}, rules: map[string]config.Rule{},
	}
}

// Follow keeps the set current until ctx ends. ready is called once everything
// that is configured now is known.
func (s *Set) Follow(ctx context.Context, st *state.Store, ready func()) error {
	s.mu.Lock()
	s.shared = st
	s.mu.Unlock()
	var synced sync.WaitGroup
	synced.Add(4)
	go func() { synced.Wait(); ready() }()
	return app.Group(ctx,
		app.Part{Name: "registries", Run: func(ctx context.Context) error {
			return app.Follow(ctx, st.Registries, s.log, told(&synced, s.setRegistries))
		}},
		app.Part{Name: "rules", Run: func(ctx context.Context) error {
			return app.Follow(ctx, st.Rules, s.log, told(&synced, s.setRules))
		}},
		app.Part{Name: "defaults", Run: func(ctx context.Context) error {
			return app.Follow(ctx, st.Defaults, s.log, told(&synced, s.setDefaults))
		}},
		app.Part{Name: "pauses", Run: func(ctx context.Context) error {
			return app.Follow(ctx, st.Pauses, s.log, told(&synced, s.setPauses))
		}},
	)
}

// told counts the first call of set.
func told[T any](synced *sync.WaitGroup, set func(map[string]T)) func(map[string]T) {
	var once sync.Once
	return func(all map[string]T) {
		set(all)
		once.Do(synced.Done)
	}
}

func (s *Set) setRegistries(all map[string]state.Managed[config.Registry]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, c := range s.clients {
		if now, still := all[name]; !still || state.Held(now) || !reflect.DeepEqual(now.Value, s.registries[name]) {
			c.Close()
			delete(s.clients, name)
		}
	}
	clear(s.registries)
	clear(s.held)
	for name, r := range all {
		s.registries[name], s.held[name] = r.Value, state.Held(r)
	}
}

func (s *Set) setRules(all map[string]state.Managed[config.Rule]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.rules)
	for name, r := range all {
		s.rules[name] = r.Value
	}
}

func (s *Set) setDefaults(all map[string]config.Defaults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.defaults = all[state.DefaultsKey]
}

// setPauses tells the clients what registries have said to any worker.
func (s *Set) setPauses(all map[string]state.Pauses) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pauses = all
	for name, c := range s.clients {
		if c.budget != nil {
			c.budget.hear(all[name])
		}
	}
}

// Get returns a registry with its client, or ErrUnknown, or
// ErrUnusable with the reason. The credential is read each time: one that was
// replaced holds from the next call on.
func (s *Set) Get(name string) (Registry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cfg, known := s.registries[name]
	if !known {
		return Registry{}, fmt.Errorf("registry %q: %w", name, ErrUnknown)
	}
	if err := s.confirmed(cfg); err != nil {
		return Registry{}, fmt.Errorf("registry %s: %w: %w", name, ErrUnusable, err)
	}
	cred, err := s.credentials(cfg.Credential)
	if made, has := s.clients[name]; has && (err != nil || made.credential == cred) {
		return Registry{made.Client, cfg}, nil // also while a secret's file is being replaced
	}
	if err != nil {
		return Registry{}, fmt.Errorf("registry %s: %w: %w", name, ErrUnusable, err)
	}
	c, err := s.client(cfg, cred)
	if err != nil {
		return Registry{}, fmt.Errorf("registry %s: %w: %w", name, ErrUnusable, err)
	}
	if before, has := s.clients[name]; has {
		before.Close()
	}
	s.clients[name] = c
	return Registry{c.Client, cfg}, nil
}

// confirmed is an error where the registry's credential is kept back. Nothing is
// sent then, not even without it: what an admin has not looked at yet need not
// be the registry that was meant.
func (s *Set) confirmed(cfg config.Registry) error {
	if !s.held[cfg.Name] {
		return nil
	}
	return fmt.Errorf("its credential is unconfirmed, and nothing is sent: an admin has to confirm that %s may be sent, with "+
		"`landwaiter registries confirm %s`, or leave the credential out", cfg.Destination(), cfg.Name)
}

// client makes a client that shares the registry's budget.
func (s *Set) client(cfg config.Registry, cred config.Resolved) (client, error) {
	c := client{credential: cred}
	opts := registry.Options{Logger: s.log}
	if s.shared != nil {
		c.budget = newBudget(s.shared, cfg, s.worker, s.log)
		c.budget.hear(s.pauses[cfg.Name])
		opts.Budget = c.budget
	}
	var err error
	c.Client, err = registry.New(cfg, cred, opts)
	return c, err
}

// Rules returns the registry's rules, in the order of their names. A rule that
// does not compile was refused when it was stored.
func (s *Set) Rules(registryName string) []Rule {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rules []Rule
	for _, name := range slices.Sorted(maps.Keys(s.rules)) {
		r := s.rules[name]
		if r.Registry != registryName {
			continue
		}
		compiled, err := s.compile(r)
		if err != nil {
			s.log.Error("rule cannot be used", zap.String("rule", name), zap.Error(err))
			continue
		}
		rules = append(rules, compiled)
	}
	return rules
}

// Rule returns one rule by its name.
func (s *Set) Rule(name string) (Rule, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, known := s.rules[name]
	if !known {
		return Rule{}, false
	}
	compiled, err := s.compile(r)
	return compiled, err == nil
}

func (s *Set) compile(r config.Rule) (Rule, error) {
	r = s.defaults.Effective(r, s.registries[r.Registry])
	m, err := rule.Compile(r)
	return Rule{r, m}, err
}

// Retention and interval for a place that no rule covers.
func (s *Set) fallback() (retention, every config.Duration) {
	r := s.defaults.Effective(config.Rule{}, config.Registry{})
	return r.Retention, config.Duration(time.Duration(r.Schedule.EveryDays) * 24 * time.Hour)
}

// Keep returns how long a place's results outlive it, and how often it is
// looked for: the longest of the rules that cover it, else the defaults'. Those
// that are named and not given are looked up; one that is gone counts no more.
func (s *Set) Keep(given []Rule, named []string) (retention, every config.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rules []config.Rule
	for _, name := range named {
		if i := slices.IndexFunc(given, func(r Rule) bool { return r.Name == name }); i >= 0 {
			rules = append(rules, given[i].Rule)
		} else if r, known := s.rules[name]; known {
			rules = append(rules, s.defaults.Effective(r, s.registries[r.Registry]))
		}
	}
	if len(rules) == 0 {
		return s.fallback()
	}
	for _, r := range rules {
		retention = max(retention, r.Retention)
		every = max(every, config.Duration(time.Duration(r.Schedule.EveryDays)*24*time.Hour))
	}
	return retention, every
}
