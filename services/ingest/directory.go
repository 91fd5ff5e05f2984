package ingest

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"sync"

	"go.uber.org/zap"

	"github.com/landwaiter/landwaiter/services/internal/config"
	"github.com/landwaiter/landwaiter/services/internal/hook"
	"github.com/landwaiter/landwaiter/services/internal/state"
)

// directory knows the registries and their secrets. It follows the state, so
// that no delivery waits for a read.
type directory struct {
	secrets hook.Secrets
	log     *zap.Logger

	mu         sync.RWMutex
	registries map[string]config.Registry // nil until known
	rules      map[string]config.Rule     // nil until known
	defaults   *config.Defaults           // nil until known
	endpoints  map[string]endpoint        // made of the three
}

// endpoint is a registry as the receiver needs it.
type endpoint struct {
	name   string
	host   string
	kind   config.RegistryType
	secret [sha256.Size]byte // hash of the secret
	usable bool              // whether there is a secret
	off    bool              // nobody wants its webhooks
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
	d.endpoints = make(map[string]endpoint, len(d.registries))
	for name, r := range d.registries {
		d.endpoints[name] = d.endpoint(r)
	}
}

func (d *directory) endpoint(r config.Registry) endpoint {
	e := endpoint{name: r.Name, host: r.Host(), kind: r.Type, off: !d.wanted(r)}
	if e.kind == "" {
		e.kind = config.OCI
		if r.Address == "" {
			e.kind = config.DockerHub
		}
	}
	secret, err := d.secrets.Of(r)
	if err != nil {
		d.log.Error("webhooks refused, secret missing", zap.String("registry", r.Name), zap.Error(err))
		return e
	}
	e.secret, e.usable = sha256.Sum256([]byte(secret.Reveal())), true
	return e
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

// authenticate finds the registry that a secret belongs to. It takes as long
// for a registry that does not exist as for a wrong secret, so that nobody
// learns which names there are.
func (d *directory) authenticate(name, secret string) (endpoint, bool) {
	d.mu.RLock()
	e, known := d.endpoints[name]
	d.mu.RUnlock()
	given := sha256.Sum256([]byte(secret))
	equal := subtle.ConstantTimeCompare(given[:], e.secret[:]) == 1
	return e, equal && known && e.usable
}
