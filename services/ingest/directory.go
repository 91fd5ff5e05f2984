package ingest

import (
	"crypto/rand"
	"errors"
	"net/http"
	"reflect"
	"sync"

	"go.uber.org/zap"
	"golang.org/x/time/rate"

	"github.com/landwaiter/landwaiter/services/ingest/internal/auth"
	"github.com/landwaiter/landwaiter/services/ingest/internal/source"
	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/hook"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// directory knows the registries and who may speak for them. It follows the
// state, so that no delivery waits for a read.
type directory struct {
	secrets   hook.Secrets
	perSecond float64 // of a registry that does not say
	nobody    endpoint
	changed   chan struct{} // holds one when there may be something new
	log       *zap.Logger

	mu         sync.RWMutex
	registries map[string]config.Registry // nil until known
	rules      map[string]config.Rule     // nil until known
	defaults   *config.Defaults           // nil until known
	endpoints  map[string]endpoint        // made of the three
}

// endpoint is a registry as the receiver needs it.
type endpoint struct {
	name      string
	host      string
	format    source.Named
	guard     *auth.Guard // of deliveries
	gate      *auth.Guard // of handshakes, which nothing but the address can prove
	off       bool        // nobody wants its webhooks
	rate      *rate.Limiter
	perSecond float64
	bodyLimit int64
	registry  config.Registry // and what the guards were made of
	secrets   []config.Secret
}

func newDirectory(cfg Config, log *zap.Logger) *directory {
	d := &directory{secrets: cfg.Secrets, perSecond: cfg.PerSecond, changed: make(chan struct{}, 1), log: log}
	stranger := &auth.Guard{}
	if g, err := auth.New(config.Registry{Name: "nobody"}, auth.Options{Secrets: []config.Secret{config.NewSecret(rand.Text())}}); err == nil {
		stranger = g
	}
	d.nobody = endpoint{guard: stranger, gate: stranger}
	return d
}

func (d *directory) setRegistries(all map[string]state.Managed[config.Registry]) {
	d.set(func() { d.registries = values(all) })
}

func (d *directory) setRules(all map[string]state.Managed[config.Rule]) {
	d.set(func() { d.rules = values(all) })
}

func (d *directory) setDefaults(all map[string]config.Defaults) {
	d.set(func() {
		defaults := all[state.DefaultsKey]
		d.defaults = &defaults
	})
}

func values[T any](all map[string]state.Managed[T]) map[string]T {
	out := make(map[string]T, len(all))
	for k, m := range all {
		out[k] = m.Value
	}
	return out
}

func (d *directory) set(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
	if d.registries == nil || d.rules == nil || d.defaults == nil {
		return
	}
	before := d.endpoints
	d.endpoints = make(map[string]endpoint, len(d.registries))
	for name, r := range d.registries {
		d.endpoints[name] = d.endpoint(r, before[name])
	}
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// subscriptions are the NATS subjects that registries publish to.
func (d *directory) subscriptions() map[string]config.WebhookNATS {
	d.mu.RLock()
	defer d.mu.RUnlock()
	out := map[string]config.WebhookNATS{}
	for name, r := range d.registries {
		if r.Webhook.NATS != nil && !d.endpoints[name].off {
			out[name] = *r.Webhook.NATS
		}
	}
	return out
}

// endpoint makes a registry's endpoint. What has not changed is taken over from
// the one before: an allowance that is used up, keys of an issuer.
func (d *directory) endpoint(r config.Registry, before endpoint) endpoint {
	e := endpoint{
		name: r.Name, host: r.Host(), off: !d.wanted(r), guard: d.nobody.guard, gate: d.nobody.gate,
		registry: r, perSecond: r.Webhook.DeliveriesPerSecond, bodyLimit: source.BodyLimit(r.Kind()),
	}
	if e.perSecond == 0 {
		e.perSecond = d.perSecond
	}
	const burst = 10
	if e.rate = before.rate; before.perSecond != e.perSecond {
		e.rate = rate.NewLimiter(rate.Limit(e.perSecond), max(int(burst*e.perSecond), 1))
	}
	format, err := source.For(r)
	if err != nil {
		d.log.Error("webhooks refused, format not known", zap.String("registry", r.Name), zap.Error(err))
		return e
	}
	e.format = format
	if e.secrets, err = d.secretsOf(r); err != nil {
		d.log.Error("webhooks refused, secret missing", zap.String("registry", r.Name), zap.Error(err))
		return e
	}
	if reflect.DeepEqual(before.registry, r) && reflect.DeepEqual(before.secrets, e.secrets) {
		e.guard, e.gate = before.guard, before.gate
		return e
	}
	e.guard = d.guard(r, e.secrets)
	r.Webhook.Auth = config.WebhookAuth{Type: config.PathAuth}
	e.gate = d.guard(r, e.secrets)
	return e
}

// secretsOf are the registry's secrets. Where nothing but a third party's
// signature is accepted there need be none; the address may hold one all the
// same, for the handshake.
func (d *directory) secretsOf(r config.Registry) ([]config.Secret, error) {
	secrets, err := d.secrets.All(r)
	switch r.Webhook.Auth.Type {
	case config.JWTAuth, config.SNSAuth, config.MTLSAuth:
		if r.Webhook.Secret.IsZero() && r.Webhook.PreviousSecret.IsZero() {
			return secrets, nil
		}
	default:
	}
	return secrets, err
}

// guard lets in who the registry's settings admit, and nobody where they are
// of no use.
func (d *directory) guard(r config.Registry, secrets []config.Secret) *auth.Guard {
	g, err := auth.New(r, auth.Options{Secrets: secrets, SecretsDir: d.secrets.Dir, Log: d.log})
	if err != nil {
		d.log.Error("webhooks refused, senders cannot be checked", zap.String("registry", r.Name), zap.Error(err))
		return d.nobody.guard
	}
	g.Warm()
	return g
}

// wanted reports whether any rule acts on the registry's webhooks: a rule's own
// word goes before the registry's and the defaults'.
func (d *directory) wanted(r config.Registry) bool {
	if d.defaults.PushesOf(r) {
		return true
	}
	for _, rule := range d.rules {
		if rule.Registry == r.Name && rule.OnPush != nil && *rule.OnPush {
			return true
		}
	}
	return false
}

var errNotSynced = errors.New("waiting for the configuration")

func (d *directory) ready() error {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.endpoints == nil {
		return errNotSynced
	}
	return nil
}

// find returns the registry's endpoint; for one that does not exist an endpoint
// that refuses everybody, after the same work, so that nobody learns which
// names there are.
func (d *directory) find(name string) endpoint {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if e, ok := d.endpoints[name]; ok {
		return e
	}
	return d.nobody
}

// greets reports whether a handshake may be answered.
func (e endpoint) greets(req *http.Request, secret string) bool {
	return e.gate.Early(req, secret) == auth.Admitted
}

// queried reports whether the registry's senders may put what they say into the
// query of a GET.
func (e endpoint) queried() bool { return e.registry.Kind() == config.Gitea }
